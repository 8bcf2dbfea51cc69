import os

import h5py
import numpy as np
import pytest

from csipreid.registry import DATASETS

# (person, camera, sequence, number of frames); 10 sorts before 9 as text.
TRAIN = [(10, 1, 1, 4), (9, 2, 1, 7), (9, 2, 11, 2), (10, 15, 1, 10)]
TEST = [(3, 1, 1, 2), (3, 4, 1, 2), (4, 4, 1, 3), (-1, 4, 2, 1), (4, 6, 1, 3)]


def write_split(root, split, tracklets):
    lines = []
    for pid, camera, sequence, length in tracklets:
        person = f'{pid:04}'
        prefix = f'tracklet_{split}/{person}/{person}_{sequence}_{camera:02}'
        (root / prefix).parent.mkdir(parents=True, exist_ok=True)
        for frame in range(length):
            (root / f'{prefix}_{frame:04}.jpg').touch()
        lines.append(f'{prefix} {pid}')
    (root / 'list_sequence').mkdir(exist_ok=True)
    (root / f'list_sequence/list_seq_{split}.txt').write_text('\n'.join(lines) + '\n')


def write_query(root, rows):
    """Write info_test.mat as MATLAB 7.3 does: HDF5 after 512 bytes of text."""
    path = root / 'test/data/info_test.mat'
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, 'w', userblock_size=512) as file:
        file['query'] = np.array([rows], np.float64)
        file['track_info'] = np.zeros((5, len(TEST)))
        file.create_dataset('names', (1, 1), h5py.ref_dtype)
    with open(path, 'r+b') as file:
        file.write(b'MATLAB 7.3 MAT-file, Platform: GLNXA64'.ljust(124) + b'\x00\x02IM')


@pytest.fixture
def root(tmp_path):
    write_split(tmp_path, 'train', TRAIN)
    write_split(tmp_path, 'test', TEST)
    write_query(tmp_path, [1, 3])
    return tmp_path


def build(root, subset='train', **kwargs):
    return DATASETS.build(dict(type='LSVID', data_root=root, subset=subset, **kwargs))


def lengths(dataset):
    return [len(item['frame_paths']) for item in dataset]


def test_labels_are_sorted_by_number(root):
    assert [(i['pid'], i['label']) for i in build(root)] == [(10, 1), (9, 0), (9, 0), (10, 1)]


def test_cameras_are_counted_from_zero(root):
    dataset = build(root)
    assert [item['camid'] for item in dataset] == [0, 1, 1, 14]
    assert dataset.metainfo == dict(dataset_name='lsvid', num_ids=2, num_cams=15)


def test_a_frame_belongs_to_the_longest_beginning(root):
    (root / 'list_sequence/list_seq_train.txt').write_text(
        'tracklet_train/0009/0009_1 9\ntracklet_train/0009/0009_11 9\n'
    )
    assert lengths(build(root)) == [7, 2]


def test_skeletons_are_paired_by_name(root):
    item = build(root)[1]
    assert item['frame_paths'][2].endswith('tracklet_train/0009/0009_1_02_0002.jpg')
    assert item['skeleton_paths'][2] == os.path.join(
        root, 'skeleton_3d/tracklet_train/0009/0009_1_02_0002.json'
    )


def test_published_skeleton_folder_is_found(root):
    (root / 'skeleton_3d_hmr2.0/tracklet_train').mkdir(parents=True)
    assert 'skeleton_3d_hmr2.0' in build(root)[0]['skeleton_paths'][0]


def test_query_is_what_the_matlab_7_3_file_lists(root):
    query, gallery = build(root, 'query'), build(root, 'gallery')
    assert [(item['pid'], item['camid']) for item in query] == [(3, 0), (4, 3)]
    assert [(item['pid'], item['camid']) for item in gallery] == [(3, 3), (4, 5)]


def test_whole_tracklets_are_the_default(root):
    assert lengths(build(root)) == [4, 7, 2, 10]


def test_the_last_chunk_takes_the_rest_and_short_tracklets_stay(root):
    assert lengths(build(root, chunk_len=4)) == [4, 7, 2, 4, 6]


def test_chunks_follow_one_another(root):
    first, second = list(build(root, chunk_len=4))[-2:]
    assert [path[-8:-4] for path in first['frame_paths']] == ['0000', '0001', '0002', '0003']
    assert second['frame_paths'][0].endswith('0004.jpg')
    assert second['skeleton_paths'][0].endswith('0004.json')


def test_the_published_code_loses_short_tracklets(root):
    assert lengths(build(root, chunk_len=4, drop_short=True)) == [4, 7, 4, 6]


def test_test_tracklets_stay_whole(root):
    assert lengths(build(root, 'gallery', chunk_len=1)) == [2, 3]


@pytest.mark.parametrize('line', ['tracklet_train/0009/0009_1 nine', 'tracklet_train', ''])
def test_a_line_without_person_number_is_named(root, line):
    (root / 'list_sequence/list_seq_train.txt').write_text(
        f'{line}\ntracklet_train/0009/0009_1 9\n'
    )
    with pytest.raises(ValueError, match=r'list_seq_train\.txt, line 1: must hold'):
        build(root)


def test_a_tracklet_without_frames_is_named(root):
    (root / 'list_sequence/list_seq_train.txt').write_text('tracklet_train/0009/0008_ 9\n')
    with pytest.raises(ValueError, match=r"line 1: no frame in .* begins with 'tracklet_train"):
        build(root)


def test_a_tracklet_of_two_cameras_is_named(root):
    (root / 'list_sequence/list_seq_train.txt').write_text('tracklet_train/0010/0010_1 9\n')
    with pytest.raises(ValueError, match=r'are of the cameras \[1, 15\]'):
        build(root)


@pytest.mark.parametrize('camera', ['00', 'x1', '-1'])
def test_an_impossible_camera_is_named(root, camera):
    write_split(root, 'train', [(1, 1, 1, 1)])
    folder = root / 'tracklet_train/0001'
    (folder / '0001_1_01_0000.jpg').rename(folder / f'0001_1_{camera}_0000.jpg')
    (root / 'list_sequence/list_seq_train.txt').write_text('tracklet_train/0001/0001_1 1\n')
    with pytest.raises(ValueError, match='third field of a name must be the camera'):
        build(root)


def test_a_missing_list_is_named(root):
    (root / 'list_sequence/list_seq_train.txt').unlink()
    with pytest.raises(FileNotFoundError, match=r'list_seq_train\.txt not found; see README'):
        build(root)


def test_a_line_that_comes_twice_is_an_error(root):
    path = root / 'list_sequence/list_seq_train.txt'
    path.write_text(path.read_text() * 2)
    with pytest.raises(ValueError, match='twice; each tracklet must be listed once'):
        build(root)


@pytest.mark.parametrize('row', [0, 6])
def test_a_query_outside_the_list_is_an_error(root, row):
    write_query(root, [row])
    with pytest.raises(ValueError, match=rf'in \[1, 5\], got {row}'):
        build(root, 'query')


def test_drop_short_needs_a_length(root):
    with pytest.raises(ValueError, match='drop_short=True needs a chunk_len'):
        build(root, drop_short=True)
