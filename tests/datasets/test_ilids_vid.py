import os

import numpy as np
import pytest
from scipy.io import savemat

from csipreid.registry import DATASETS

PERSONS = (1, 2, 5, 7)  # numbers with gaps, as in the real data
SPLITS = [[4, 1, 2, 3], [2, 3, 1, 4]]


@pytest.fixture
def root(tmp_path):
    return write(tmp_path, tmp_path)


def write(root, raw, num_frames=12):
    for camera in (1, 2):
        for person in PERSONS:
            folder = raw / f'i-LIDS-VID/sequences/cam{camera}/person{person:03}'
            folder.mkdir(parents=True)
            for frame in range(num_frames + camera):
                (folder / f'cam{camera}_person{person:03}_{317 + 2 * frame:05}.png').touch()
    (raw / 'train-test people splits').mkdir()
    savemat(
        raw / 'train-test people splits/train_test_splits_ilidsvid.mat',
        {'ls_set': np.array(SPLITS, np.uint16)},
    )
    return root


def build(root, subset='train', **kwargs):
    return DATASETS.build(dict(type='ILIDSVID', data_root=root, subset=subset, **kwargs))


def test_the_training_half_is_the_first_of_the_row(root):
    items = list(build(root))
    assert [(i['pid'], i['camid'], i['label']) for i in items] == [
        (1, 0, 0),
        (1, 1, 0),
        (7, 0, 1),
        (7, 1, 1),
    ]


def test_camera_1_queries_camera_2(root):
    test = build(root, 'test')
    assert [(i['subset'], i['pid'], i['camid']) for i in test] == [
        ('query', 2, 0),
        ('query', 5, 0),
        ('gallery', 2, 1),
        ('gallery', 5, 1),
    ]


def test_splits_differ(root):
    assert {item['pid'] for item in build(root, split=1)} == {2, 5}


def test_frames_and_skeletons_are_paired_by_name(root):
    item = build(root)[1]
    assert len(item['frame_paths']) == 14
    part = 'i-LIDS-VID/sequences/cam2/person001/cam2_person001_00317'
    assert item['frame_paths'][0] == os.path.join(root, f'{part}.png')
    assert item['skeleton_paths'][0] == os.path.join(root, 'skeleton_3d', f'{part}.json')


def test_published_skeleton_folder_is_found(root):
    (root / 'i-LIDS-VID/sequences_skeleton_3d_hmr2.0').mkdir()
    assert build(root)[0]['skeleton_paths'][0].endswith(
        'sequences_skeleton_3d_hmr2.0/cam1/person001/cam1_person001_00317.json'
    )


def test_the_unpacked_archive_may_lie_in_raw(tmp_path):
    root = write(tmp_path, tmp_path / 'raw/iLIDS-VID')
    item = build(root)[0]
    assert 'raw/iLIDS-VID/i-LIDS-VID/sequences/cam1' in item['frame_paths'][0]
    assert 'skeleton_3d/raw/iLIDS-VID/i-LIDS-VID' in item['skeleton_paths'][0]


def test_windows_of_the_published_code_miss_the_last(root):
    # 13 frames: starts 0 and 4, both below 13 - 8 = 5. 14 frames: below 6, the same.
    windows = list(build(root, window_len=8))
    assert len(windows) == 8
    starts = [int(item['frame_paths'][0][-9:-4]) for item in windows[:2]]
    assert starts == [317, 317 + 2 * 4]
    assert {len(item['frame_paths']) for item in windows} == {8}
    assert {item['label'] for item in windows} == {0, 1}


def test_a_tracklet_too_short_for_a_window_is_one(tmp_path):
    dataset = build(write(tmp_path, tmp_path, num_frames=7), 'query', window_len=8)
    assert [len(item['frame_paths']) for item in dataset] == [8, 8]


@pytest.mark.parametrize('split', [-1, 2])
def test_a_split_that_does_not_exist_is_named(root, split):
    with pytest.raises(ValueError, match=rf'split must be in \[0, 1\], got {split}'):
        build(root, split=split)


def test_splits_of_other_persons_are_an_error(root):
    path = root / 'train-test people splits/train_test_splits_ilidsvid.mat'
    savemat(path, {'ls_set': np.array([[1, 2, 3, 5]])})
    with pytest.raises(ValueError, match='must list each of the 4 persons'):
        build(root)


def test_a_person_under_one_camera_is_an_error(root):
    (root / 'i-LIDS-VID/sequences/cam2/person009').mkdir()
    with pytest.raises(ValueError, match=r"1 persons have a folder .* first is 'person009'"):
        build(root)


def test_a_frame_in_the_wrong_folder_is_named(root):
    (root / 'i-LIDS-VID/sequences/cam1/person001/cam1_person002_00001.png').touch()
    with pytest.raises(ValueError, match=r'person002_00001\.png is in the wrong folder'):
        build(root)


def test_an_empty_folder_is_named(root):
    folder = root / 'i-LIDS-VID/sequences/cam1/person001'
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(ValueError, match='person001 holds no image'):
        build(root)


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='sequences not found; see README'):
        build(tmp_path)
