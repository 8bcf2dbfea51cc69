import numpy as np
import pytest

from csipreid.datasets.mot_boxes import TrackedBox, read_boxes


def write(tmp_path, text):
    (tmp_path / 'boxes.txt').write_text(text)
    return tmp_path / 'boxes.txt'


def test_boxes_come_by_frame_and_track(tmp_path):
    path = write(tmp_path, '2,1,5,6,7,8,1,-1,-1,-1\n\n1,3,1.5,2,3,4\n1,2,0,0,1,1\n')
    boxes = read_boxes(path)
    assert [box[:2] for box in boxes] == [(1, 2), (1, 3), (2, 1)]
    assert boxes[1] == TrackedBox(1, 3, 1.5, 2, 3, 4)


def test_a_box_is_cut_as_far_as_it_lies_inside():
    frame = np.arange(20 * 10).reshape(20, 10)
    assert TrackedBox(1, 1, -3, 15, 5, 100).cut(frame).tolist() == frame[15:20, 0:2].tolist()


def test_a_box_outside_is_named():
    with pytest.raises(ValueError, match='lies outside of the frame of 10 x 20 pixels'):
        TrackedBox(1, 1, 10, 0, 5, 5).cut(np.zeros((20, 10)))


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('1,1,2,3,4,5\none,1,2,3,4,5\n', "line 2: must be frame,.* got 'one"),
        ('1,1,2,3\n', 'line 1: must be frame'),
        ('nan,1,2,3,4,5\n', 'line 1: must be frame'),
        ('0,1,2,3,4,5\n', 'line 1: frames count from 1'),
        ('1,1,2,3,0,5\n', 'line 1: frames count from 1 and boxes have a size'),
        ('1,1,2,3,4,5\n1,1,9,3,4,5\n', 'track 1 has two boxes in frame 1'),
        ('', 'holds no box'),
    ],
)
def test_what_is_no_box_is_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_boxes(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.txt not found'):
        read_boxes(tmp_path / 'none.txt')
