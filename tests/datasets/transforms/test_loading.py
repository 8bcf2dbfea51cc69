import json
import logging

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger

from csipreid.registry import TRANSFORMS


def load_frames(paths, inds):
    transform = TRANSFORMS.build(dict(type='LoadFrames'))
    return transform(dict(frame_paths=[str(p) for p in paths], frame_inds=np.array(inds)))['frames']


@pytest.fixture
def images(tmp_path):
    """Three pure colours (RGB), of different sizes and formats, one with a name in Chinese."""
    paths = []
    for name, size, colour in [
        ('1.png', (4, 2), (255, 0, 0)),
        ('2.jpg', (8, 5), (0, 255, 0)),
        ('三.png', (4, 3), (0, 0, 255)),
    ]:
        paths.append(tmp_path / name)
        image = np.full((*size, 3), colour[::-1], np.uint8)
        cv2.imencode(paths[-1].suffix, image)[1].tofile(paths[-1])
    return paths


def test_frames_are_rgb_in_the_order_of_the_clip(images):
    frames = load_frames(images, [2, 0])
    assert [frame[0, 0].tolist() for frame in frames] == [[0, 0, 255], [255, 0, 0]]


def test_frames_may_differ_in_size(images):
    assert [f.shape for f in load_frames(images, [0, 1, 2])] == [(4, 2, 3), (8, 5, 3), (4, 3, 3)]


def test_frames_of_several_clips_are_one_list(images):
    assert len(load_frames(images, [[0, 1], [2, 2]])) == 4


def test_a_repeated_frame_is_decoded_once(images, monkeypatch):
    calls = []
    decode = cv2.imdecode
    monkeypatch.setattr(cv2, 'imdecode', lambda *args: calls.append(1) or decode(*args))
    load_frames(images, [0, 1, 1, 1])
    assert len(calls) == 2


@pytest.mark.parametrize(
    'image', [np.full((4, 3), 7, np.uint8), np.full((4, 3, 4), 7, np.uint8)], ids=['grey', 'alpha']
)
def test_grey_and_transparent_images_become_rgb(tmp_path, image):
    cv2.imwrite(str(tmp_path / '1.png'), image)
    assert load_frames([tmp_path / '1.png'], [0])[0].tolist() == np.full((4, 3, 3), 7).tolist()


@pytest.mark.parametrize('extension', ['.jpg', '.png'])
@pytest.mark.parametrize('share', [0, 0.5, 0.99])
def test_a_truncated_image_is_named(tmp_path, extension, share):
    noise = np.random.default_rng(0).integers(256, size=(32, 16, 3), dtype=np.uint8)
    content = cv2.imencode(extension, noise)[1].tobytes()
    path = tmp_path / f'0001{extension}'
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=rf'0001\{extension} is not an image, or ends too early'):
        load_frames([path], [0])


def test_a_file_that_is_no_image_is_named(tmp_path):
    (tmp_path / '1.jpg').write_text('<html>not found</html>')
    with pytest.raises(ValueError, match=r'1\.jpg is not an image'):
        load_frames([tmp_path / '1.jpg'], [0])


def test_missing_frames_are_counted_and_the_first_is_named(images):
    tracklets = [
        dict(frame_paths=[str(images[0]), f'{images[0]}.none']),
        dict(frame_paths=['nowhere/1.jpg']),
    ]
    with pytest.raises(
        FileNotFoundError, match=r'2 of 3 frames not found, the first is .*1\.png\.none; see README'
    ):
        TRANSFORMS.build(dict(type='LoadFrames')).check_files(iter(tracklets))


def pose(number):
    """A skeleton that tells its number."""
    return np.arange(51, dtype=np.float32).reshape(17, 3) + number


@pytest.fixture
def skeleton_paths(tmp_path):
    """Eight frames; 0, 4 and 5 have skeletons, 6 is all zero, the others have no file."""
    paths = [tmp_path / f'{number}.json' for number in range(8)]
    for number in (0, 4, 5):
        paths[number].write_text(json.dumps({'keypoints': pose(number).tolist()}))
    paths[6].write_text(json.dumps({'keypoints': np.zeros((17, 3)).tolist()}))
    return [str(path) for path in paths]


def load_skeletons(paths, inds, **kwargs):
    transform = TRANSFORMS.build(dict(type='LoadSkeletons', **kwargs))
    return transform(dict(skeleton_paths=paths, frame_inds=np.array(inds)))


def test_skeletons_are_those_of_the_frames(skeleton_paths):
    results = load_skeletons(skeleton_paths, [4, 0, 5])
    assert np.array_equal(results['skeletons'], np.stack([pose(4), pose(0), pose(5)]))
    assert results['skeletons'].dtype == np.float32
    assert results['skeleton_valid'].tolist() == [True, True, True]
    assert results['layout'] == 'h36m'


@pytest.mark.parametrize('missing', [6, 7])
def test_error_names_the_frame_without_skeleton(skeleton_paths, missing):
    with pytest.raises(FileNotFoundError, match=rf'{missing}\.json does not exist or holds only'):
        load_skeletons(skeleton_paths, [0, missing], missing='error')


def test_mask_leaves_zeros_and_says_so(skeleton_paths):
    results = load_skeletons(skeleton_paths, [0, 6, 7], missing='mask')
    assert results['skeleton_valid'].tolist() == [True, False, False]
    assert not results['skeletons'][1:].any()


@pytest.mark.parametrize(('index', 'nearest'), [(1, 0), (2, 0), (3, 4), (6, 5), (7, 5), (4, 4)])
def test_nearest_looks_outside_the_clip_and_prefers_the_earlier(skeleton_paths, index, nearest):
    results = load_skeletons(skeleton_paths, [index], missing='nearest')
    assert np.array_equal(results['skeletons'][0], pose(nearest))
    assert results['skeleton_valid'].tolist() == [True]


def test_zeros_are_taken_for_a_pose(skeleton_paths):
    masked = load_skeletons(skeleton_paths, [0, 6, 7], missing='mask')
    results = load_skeletons(skeleton_paths, [0, 6, 7], missing='zeros')
    assert results['skeleton_valid'].all()
    assert np.array_equal(results['skeletons'], masked['skeletons'])


def test_nearest_falls_back_to_the_mask_without_any_skeleton():
    results = load_skeletons(['none/1.json', 'none/2.json'], [0, 1, 1], missing='nearest')
    assert results['skeleton_valid'].tolist() == [False] * 3
    assert not results['skeletons'].any()


def test_skeletons_must_be_loaded_before_the_flip(skeleton_paths):
    transform = TRANSFORMS.build(dict(type='LoadSkeletons'))
    with pytest.raises(ValueError, match='before FlipClip'):
        transform(dict(skeleton_paths=skeleton_paths, frame_inds=np.array([0]), flip=True))


def test_unknown_policy_is_named():
    with pytest.raises(ValueError, match="got 'drop'"):
        TRANSFORMS.build(dict(type='LoadSkeletons', missing='drop'))


def check_skeletons(paths, missing):
    transform = TRANSFORMS.build(dict(type='LoadSkeletons', missing=missing))
    transform.check_files([dict(skeleton_paths=paths[:4]), dict(skeleton_paths=paths[7:])])


def test_check_is_an_error_under_the_policy_error(skeleton_paths):
    with pytest.raises(FileNotFoundError, match=r"4 of 5 skeleton files .* set missing='nearest'"):
        check_skeletons(skeleton_paths, 'error')


@pytest.mark.parametrize('missing', ['error', 'mask', 'nearest'])
def test_check_is_an_error_without_any_skeleton(missing):
    with pytest.raises(FileNotFoundError, match=r'5 of 5 skeleton files not found.*see README'):
        check_skeletons([f'none/{number}.json' for number in range(8)], missing)


def test_check_logs_the_count_once(skeleton_paths):
    records = []
    handler = logging.Handler(logging.INFO)
    handler.emit = records.append
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    check_skeletons(skeleton_paths, 'nearest')
    logger.removeHandler(handler)
    messages = [record.getMessage() for record in records]
    assert [message for message in messages if 'skeleton files' in message] == [
        f'4 of 5 skeleton files not found, the first is {skeleton_paths[1]}; '
        '1 of 2 tracklets have none at all; policy: nearest'
    ]


@pytest.mark.parametrize('link', ['symlink_to', 'hardlink_to'])
def test_a_frame_that_is_a_link_to_another_is_refused_before_a_run(images, tmp_path, link):
    (tmp_path / 'b').mkdir()
    getattr(tmp_path / 'b/1.png', link)(images[0])
    tracklets = [dict(frame_paths=[str(images[0])]), dict(frame_paths=[str(tmp_path / 'b/1.png')])]
    transform = TRANSFORMS.build(dict(type='LoadFrames'))
    transform.check_files(tracklets[:1] * 2)
    with pytest.raises(ValueError, match=r'1 frames are the same file .*b/1\.png = .*1\.png'):
        transform.check_files(tracklets)
