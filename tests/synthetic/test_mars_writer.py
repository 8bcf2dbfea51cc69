import json

import cv2
import numpy as np
import pytest
from scipy.io import loadmat

from csipreid.synthetic.mars_writer import Tracklet, frame_name, write_mars


def tracklet(pid, camera, number=1, num_frames=2, skeletons=None):
    frames = [np.full((12, 6, 3), (200, 100, 50), np.uint8)] * num_frames
    joints = [np.full((17, 3), 0.1234567)] * num_frames
    return Tracklet(pid, camera, number, frames, joints if skeletons is None else skeletons)


@pytest.fixture
def root(tmp_path):
    """Two training tracklets; for testing junk, a query and its match."""
    write_mars(
        tmp_path / 'mars',
        train=[tracklet(7, 1), tracklet(3, 2, num_frames=3)],
        test=[tracklet(-1, 1), tracklet(5, 1), tracklet(5, 4, number=2)],
        queries=[1],
    )
    return tmp_path / 'mars'


@pytest.mark.parametrize(
    ('numbers', 'name'),
    [
        ((1, 1, 1, 1), '0001C1T0001F001.jpg'),
        ((-1, 6, 12, 345), '00-1C6T0012F345.jpg'),
        ((0, 2, 3, 4), '0000C2T0003F004.jpg'),
    ],
)
def test_names_are_those_of_mars(numbers, name):
    assert frame_name(*numbers) == name


def test_number_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match='camera must be from 1 to 9 in the MARS layout, got 10'):
        frame_name(1, 10, 1, 1)


def test_track_tables_count_from_one_inclusively(root):
    train = loadmat(root / 'info/tracks_train_info.mat')['track_train_info']
    test = loadmat(root / 'info/tracks_test_info.mat')['track_test_info']
    assert train.tolist() == [[1, 2, 7, 1], [3, 5, 3, 2]]
    assert test.tolist() == [[1, 2, -1, 1], [3, 4, 5, 1], [5, 6, 5, 4]]


def test_queries_count_from_one(root):
    assert loadmat(root / 'info/query_IDX.mat')['query_IDX'].tolist() == [[2]]


def test_name_lists_name_the_files(root):
    for split in ('train', 'test'):
        names = (root / f'info/{split}_name.txt').read_text().split()
        for name in names:
            assert (root / f'bbox_{split}' / name[:4] / name).is_file()
        assert len(list((root / f'bbox_{split}').rglob('*.jpg'))) == len(names)


def test_pictures_keep_their_colours(root):
    picture = cv2.imread(str(root / 'bbox_train/0007/0007C1T0001F001.jpg'))
    np.testing.assert_allclose(picture[6, 3, ::-1], [200, 100, 50], atol=4)


def test_skeleton_is_seventeen_points(root):
    text = (root / 'skeleton_3d/bbox_test/00-1/00-1C1T0001F002.json').read_text()
    keypoints = np.array(json.loads(text)['keypoints'])
    np.testing.assert_allclose(keypoints, np.full((17, 3), 0.1234567), atol=1e-5)


def test_no_skeleton_writes_no_file(tmp_path):
    write_mars(tmp_path, [tracklet(1, 1, skeletons=[None, np.zeros((17, 3))])], [], [])
    files = [path.name for path in (tmp_path / 'skeleton_3d').rglob('*.json')]
    assert files == ['0001C1T0001F002.json']


def test_tables_are_equal_bytes_at_any_time(tmp_path, root):
    again = tmp_path / 'again'
    write_mars(again, [tracklet(7, 1), tracklet(3, 2, num_frames=3)], [], [])
    name = 'info/tracks_train_info.mat'
    assert (again / name).read_bytes() == (root / name).read_bytes()
    assert b'Created' not in (again / name).read_bytes()


def test_frames_without_skeletons_are_refused(tmp_path):
    with pytest.raises(ValueError, match='got 2 frames and 1 skeletons'):
        write_mars(tmp_path, [tracklet(1, 1, skeletons=[None])], [], [])
