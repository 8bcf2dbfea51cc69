import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from csipreid.registry import DATASETS

REAL_LISTS = Path(__file__).parents[3] / 'shared/data/mars_info/mars_info.tar.xz'


def build(root, subset, **kwargs):
    return DATASETS.build(dict(type='MARS', data_root=root, subset=subset, **kwargs))


def save_train_table(root, table):
    savemat(root / 'info/tracks_train_info.mat', {'track_train_info': table})


def test_train_labels_are_gap_free_and_sorted(mars_root):
    dataset = build(mars_root, 'train')
    assert [(item['pid'], item['label']) for item in dataset] == [
        (7, 1),
        (7, 1),
        (3, 0),
        (3, 0),
        (7, 1),
    ]


def test_a_tracklet_holds_the_frames_of_its_row(mars_root):
    item = build(mars_root, 'train')[1]
    folder = os.path.join(mars_root, 'bbox_train', '0007', '')
    assert item['frame_paths'] == [f'{folder}0007C2T0002F00{n}.jpg' for n in (1, 2, 3)]


def test_each_frame_has_the_skeleton_of_its_name(mars_root):
    item = build(mars_root, 'query')[0]
    folder = os.path.join(mars_root, 'skeleton_3d', 'bbox_test', '0005', '')
    assert item['skeleton_paths'] == [f'{folder}0005C1T0004F00{n}.json' for n in range(1, 7)]


def test_query_is_what_the_table_of_queries_lists(mars_root):
    query = build(mars_root, 'query')
    assert [(item['pid'], item['camid'], item['subset']) for item in query] == [
        (5, 0, 'query'),
        (6, 1, 'query'),
    ]


def test_gallery_is_the_rest_without_junk_and_with_distractors(mars_root):
    gallery = build(mars_root, 'gallery')
    assert [(item['pid'], item['camid'], item['label']) for item in gallery] == [
        (0, 1, -1),
        (0, 0, -1),
        (5, 1, -1),
        (6, 0, -1),
    ]


def test_test_is_query_then_gallery(mars_root):
    subsets = [item['subset'] for item in build(mars_root, 'test')]
    assert subsets == ['query'] * 2 + ['gallery'] * 4


def test_published_skeleton_folder_is_found(mars_root):
    (mars_root / 'skeleton_3d_hmr2.0/bbox_train').mkdir(parents=True)
    train, query = build(mars_root, 'train'), build(mars_root, 'query')
    assert 'skeleton_3d_hmr2.0' in train[0]['skeleton_paths'][0]
    assert 'skeleton_3d_hmr2.0' not in query[0]['skeleton_paths'][0]


def test_skeletons_of_png_frames_are_json(write_mars_lists):
    item = build(write_mars_lists(extension='.png'), 'train')[0]
    assert item['frame_paths'][0].endswith('0007C1T0001F001.png')
    assert item['skeleton_paths'][0].endswith('0007C1T0001F001.json')


def test_windows_line_ends_and_trailing_blanks_do_not_matter(write_mars_lists):
    item = build(write_mars_lists(newline=' \r\n'), 'train')[0]
    assert item['frame_paths'][0].endswith('0007C1T0001F001.jpg')


def test_five_digit_persons_have_five_digit_folders(write_mars_lists):
    root = write_mars_lists(train=[('10002', 1, 2), ('00001', 2, 2)])
    dataset = build(root, 'train')
    assert [item['pid'] for item in dataset] == [10002, 1]
    assert Path(dataset[0]['frame_paths'][0]).parent.name == '10002'


def test_cameras_may_have_two_digits(write_mars_lists):
    dataset = build(write_mars_lists(train=[('0001', 12, 2), ('0001', 1, 2)]), 'train')
    assert [item['camid'] for item in dataset] == [11, 0]
    assert dataset.metainfo['num_cams'] == 12


def test_a_single_tracklet_is_a_table_too(write_mars_lists):
    assert len(build(write_mars_lists(train=[('0001', 1, 2)]), 'train')) == 1


@pytest.mark.parametrize('query', [[4, 6], [[4], [6]], [[4.0, 6.0]]])
def test_query_rows_may_be_a_row_a_column_or_floats(write_mars_lists, query):
    assert [item['pid'] for item in build(write_mars_lists(query=query), 'query')] == [5, 6]


def test_query_keeps_the_order_of_its_table(write_mars_lists):
    root = write_mars_lists(query=[[6, 4]])
    assert [item['pid'] for item in build(root, 'query')] == [6, 5]


def test_missing_list_is_named(mars_root):
    (mars_root / 'info/train_name.txt').unlink()
    with pytest.raises(FileNotFoundError, match=r'train_name\.txt not found; see README'):
        build(mars_root, 'train')


def test_camera_zero_is_an_error(write_mars_lists):
    with pytest.raises(ValueError, match='row 1: the camera must be 1 or more, got 0'):
        build(write_mars_lists(train=[('0001', 0, 2)]), 'train')


def test_table_and_names_must_agree_on_the_person(mars_root):
    save_train_table(mars_root, [[1, 9, 8, 1]])
    with pytest.raises(ValueError, match="person 8, camera 1, but the first name is '0007C1"):
        build(mars_root, 'train')


def test_table_and_names_must_agree_on_the_camera(mars_root):
    save_train_table(mars_root, [[1, 9, 7, 2]])
    with pytest.raises(ValueError, match="person 7, camera 2, but the first name is '0007C1"):
        build(mars_root, 'train')


def test_a_tracklet_must_be_of_one_person_and_camera(mars_root):
    save_train_table(mars_root, [[1, 10, 7, 1]])
    with pytest.raises(ValueError, match='are not of one person and camera'):
        build(mars_root, 'train')


@pytest.mark.parametrize('frames', [(0, 3), (3, 2), (30, 38)])
def test_frames_must_lie_in_the_name_list(mars_root, frames):
    save_train_table(mars_root, [[*frames, 7, 1]])
    with pytest.raises(ValueError, match=f'frames {frames[0]} to {frames[1]} are not a range'):
        build(mars_root, 'train')


@pytest.mark.parametrize('frame', [4, 6], ids=['duplicate', 'order'])
def test_frames_must_ascend(mars_root, frame):
    path = mars_root / 'info/train_name.txt'
    path.write_text(path.read_text().replace('0007C1T0001F005', f'0007C1T0001F00{frame}'))
    with pytest.raises(ValueError, match=r"row 1: frame '0007C1T0001F00\d\.jpg' stands after"):
        build(mars_root, 'train')


def test_tracklets_must_not_share_a_frame(mars_root):
    save_train_table(mars_root, [[1, 5, 7, 1], [5, 9, 7, 1]])
    with pytest.raises(ValueError, match=r'tracklet 2 of the train set .* frame that came before'):
        build(mars_root, 'train')


def test_a_name_without_person_and_camera_is_an_error(mars_root):
    (mars_root / 'info/train_name.txt').write_text('frame1.jpg\n' * 37)
    with pytest.raises(ValueError, match=r"like 0001C1T0001F001\.jpg, got 'frame1\.jpg'"):
        build(mars_root, 'train')


def test_an_empty_line_does_not_shift_the_names(mars_root):
    path = mars_root / 'info/train_name.txt'
    lines = path.read_text().split('\n')
    lines[9] = ''  # the first frame of the second tracklet
    path.write_text('\n'.join(lines))
    with pytest.raises(ValueError, match=r"row 2: a name must begin .* got ''"):
        build(mars_root, 'train')


@pytest.mark.parametrize('query', [0, 8])
def test_a_query_outside_the_table_is_an_error(write_mars_lists, query):
    with pytest.raises(ValueError, match=rf'in \[1, 7\], got {query}'):
        build(write_mars_lists(query=[[query]]), 'query')


def test_a_query_listed_twice_is_an_error(write_mars_lists):
    with pytest.raises(ValueError, match='lists a row twice'):
        build(write_mars_lists(query=[[4, 4]]), 'query')


def test_a_table_of_three_columns_is_an_error(mars_root):
    save_train_table(mars_root, [[1, 9, 7]])
    with pytest.raises(ValueError, match=r'four columns .* got shape \(1, 3\)'):
        build(mars_root, 'train')


@pytest.fixture(scope='module')
def real_root(tmp_path_factory):
    if not REAL_LISTS.exists():
        pytest.skip('the lists of MARS are not here')
    root = tmp_path_factory.mktemp('mars')
    with tarfile.open(REAL_LISTS) as archive:
        archive.extractall(root, filter='data')
    return root


@pytest.mark.slow
def test_real_training_lists(real_root):
    dataset = build(real_root, 'train', check_files=False)
    assert len(dataset) == 8298
    assert dataset.metainfo == dict(dataset_name='mars', num_ids=625, num_cams=6)


@pytest.mark.slow
def test_real_test_lists(real_root):
    dataset = build(real_root, 'test', check_files=False)
    items = [dataset.get_data_info(index) for index in range(len(dataset))]
    gallery = [item for item in items if item['subset'] == 'gallery']
    assert len(items) - len(gallery) == 1980
    assert len(gallery) == 9330
    assert sum(item['pid'] == 0 for item in gallery) == 3248
    assert np.max([item['camid'] for item in items]) == 5
