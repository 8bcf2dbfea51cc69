import cv2
import numpy as np
import pytest

from csipreid.datasets.video_files import VideoReader, frame_size, read_video


@pytest.fixture
def video(tmp_path):
    """Five frames that get brighter, more red than blue."""
    path = tmp_path / 'video.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 48))
    for number in range(1, 6):
        writer.write(np.full((48, 64, 3), (10 * number, 20 * number, 40 * number), np.uint8))
    writer.release()
    return path


def red(frame):
    return round(float(frame[..., 0].mean()) / 40)


def test_all_frames_come_with_their_numbers(video):
    assert [(number, red(frame)) for number, frame in read_video(video)] == [
        (n, n) for n in range(1, 6)
    ]


def test_frames_are_rgb(video):
    _, frame = next(read_video(video))
    assert frame.shape == (48, 64, 3)
    assert frame[0, 0].tolist() == pytest.approx([40, 20, 10], abs=4)


@pytest.mark.parametrize('calls', [[[2, 4]], [[4], [2]], [[3], [3]], [[1], [2], [5]]])
def test_frames_are_taken_in_any_order(video, calls):
    reader = VideoReader(video)
    for numbers in calls:
        assert {n: red(f) for n, f in reader.take(numbers).items()} == {n: n for n in numbers}


def test_frames_beyond_the_end_are_not_there(video):
    assert set(VideoReader(video).take([5, 6, 9])) == {5}


def test_a_file_that_is_no_video_is_named(tmp_path):
    (tmp_path / 'video.mp4').write_text('none')
    with pytest.raises(ValueError, match=r'video\.mp4 is not a video .* but plain text'):
        next(read_video(tmp_path / 'video.mp4'))


@pytest.mark.parametrize('name', ['none.mp4', 'frame_%02d.jpg', 'rtsp://camera/1'])
def test_what_is_no_file_is_not_opened(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match='not found'):
        next(read_video(name))


def test_the_size_of_a_frame_is_height_and_width(video):
    assert frame_size(video) == (48, 64)
