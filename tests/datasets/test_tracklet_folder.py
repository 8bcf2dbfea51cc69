import csv
import io
import logging
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.logging import MMLogger

from csipreid.registry import DATASETS

FOLDERS = {
    'train/12/c1_0001': 3,
    'train/12/c2_0001': 2,
    'train/7/cam1_x': 11,
    'query/3/1_a': 1,
    'gallery/3/2_a': 2,
    'gallery/0/2_b': 1,
    'gallery/-1/2_b': 1,
}


@pytest.fixture
def root(tmp_path):
    for folder, length in FOLDERS.items():
        (tmp_path / folder).mkdir(parents=True)
        for frame in range(length):
            (tmp_path / folder / f'{frame}.jpg').touch()
    return tmp_path


def build(root, subset='train', **kwargs):
    return DATASETS.build(dict(type='TrackletFolder', data_root=root, subset=subset, **kwargs))


def test_persons_and_cameras_are_read_from_the_folders(root):
    dataset = build(root)
    assert [(i['pid'], i['camid'], i['label']) for i in dataset] == [
        (7, 0, 0),
        (12, 0, 1),
        (12, 1, 1),
    ]
    assert dataset.metainfo == dict(dataset_name='folder', num_ids=2, num_cams=2)


def test_junk_is_dropped_and_distractors_stay(root):
    assert [item['pid'] for item in build(root, 'gallery')] == [0, 3]


def test_frames_are_in_the_order_of_their_numbers(root):
    names = [os.path.basename(path) for path in build(root)[0]['frame_paths']]
    assert names == [f'{number}.jpg' for number in range(11)]


def test_skeletons_mirror_the_frames(root):
    item = build(root)[1]
    assert item['skeleton_paths'][1] == os.path.join(root, 'skeleton_3d/train/12/c1_0001/1.json')


def test_cameras_may_be_unknown(tmp_path):
    for folder in ('train/1/0001', 'train/1/walk'):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / '1.png').touch()
    dataset = build(tmp_path)
    assert [item['camid'] for item in dataset] == [-1, -1]
    assert dataset.metainfo['num_cams'] == 0


@pytest.mark.parametrize('name', ['c0_1', 'walk_1', 'c1_', '_1'])
def test_a_folder_that_names_no_camera_and_track_is_an_error(root, name):
    (root / 'train/12' / name).mkdir()
    with pytest.raises(ValueError, match=r"called like 'c1_0003'.* or '0003' .camera unknown"):
        build(root)


def test_a_person_must_be_a_number(root):
    (root / 'train/alice').mkdir()
    with pytest.raises(ValueError, match="must be a number, got 'alice'"):
        build(root)


def test_an_empty_tracklet_is_named(root):
    (root / 'train/12/c1_0009').mkdir()
    with pytest.raises(ValueError, match='c1_0009 holds no image'):
        build(root)


def test_a_missing_subset_is_named(root):
    (root / 'query').rename(root / 'probe')
    with pytest.raises(FileNotFoundError, match='query not found; see README'):
        build(root, 'query')


TABLE = """subset,pid,camera,tracklet,frame
train,5,1,a,images/5/1.jpg
train,5,1,a,images/5/2.jpg
query,6,2,a,images/6/1.jpg
train,5,,b,images/5/9.jpg
"""


def build_table(root, text, subset='train'):
    (root / 'list.csv').write_text(text)
    return build(root, subset, annotation='list.csv')


def test_a_table_lists_frames_by_tracklet(tmp_path):
    dataset = build_table(tmp_path, TABLE)
    assert [(i['pid'], i['camid'], len(i['frame_paths'])) for i in dataset] == [
        (5, 0, 2),
        (5, -1, 1),
    ]
    assert dataset[0]['frame_paths'][1] == os.path.join(tmp_path, 'images/5/2.jpg')
    assert dataset[0]['skeleton_paths'][1] == os.path.join(tmp_path, 'skeleton_3d/images/5/2.json')


def test_a_table_may_lack_the_camera(tmp_path):
    text = 'frame,pid,subset,tracklet\n1.jpg,5,train,1\n'
    assert build_table(tmp_path, text)[0]['camid'] == -1


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('train,five,1,a,1.jpg', "line 6: pid must be a whole number, got 'five'"),
        ('train,5,0,a,1.jpg', "line 6: camera must be .* from 1, or empty .* got '0'"),
        ('train,5,left,a,1.jpg', "line 6: camera must be .* got 'left'"),
        ('val,5,1,a,1.jpg', "line 6: subset must be .* got 'val'"),
        ('train,5,1,a', 'line 6: must have as many fields'),
        ('train,5,1,a,1.jpg,more', 'line 6: must have as many fields'),
        ('train,5,1,a,', 'line 6: frame is empty'),
        ('train,5,1,a,images/5/2.jpg', 'holds a frame that came before'),
        ('train,-2,1,a,1.jpg', 'line 6: persons count from 1; 0 stands for distractors, .* got -2'),
        ('train,٣,1,a,1.jpg', "line 6: pid must be a whole number, got '٣'"),
        ('train,99999999999999999999,1,a,1.jpg', 'line 6: pid must be a whole number'),
        ('train,5,1.5,a,1.jpg', "line 6: camera must be .* got '1.5'"),
        ('train,5,1,a,/etc/1.jpg', "line 6: frame must be a path below .* got '/etc/1.jpg'"),
        ('train,5,1,a,x/../../1.jpg', 'line 6: frame must be a path below'),
        ('train,5,1,"a', r'list\.csv, line 5: unexpected end of data'),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, message):
    with pytest.raises(ValueError, match=message):
        build_table(tmp_path, f'{TABLE}{line}\n')


def test_a_missing_column_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"it lacks \['tracklet', 'frame'\]"):
        build_table(tmp_path, 'subset,pid\ntrain,1\n')


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'list\.csv not found'):
        build(tmp_path, annotation='list.csv')


def test_frames_out_of_order_are_told(tmp_path):
    records = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = records.append
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    build_table(tmp_path, f'{TABLE}train,5,1,a,images/5/0.jpg\n')
    logger.removeHandler(handler)
    assert '1 of 2 train tracklets do not list their frames in the order' in records[0].getMessage()


@pytest.mark.parametrize('name', ['-2', '12345678901'])
def test_a_person_that_cannot_be_is_named(root, name):
    (root / 'train' / name / '1').mkdir(parents=True)
    with pytest.raises(
        ValueError, match=rf'train/{name}: (persons count from 1|.* must be a numb)'
    ):
        build(root)


@pytest.mark.parametrize('row', ['query,0,1,a,1.jpg\n', 'query,0,,b,2.jpg\n'])
def test_a_distractor_does_not_query(tmp_path, row):
    with pytest.raises(ValueError, match='line 2: persons count from 1; 0 stands for distractors'):
        build_table(tmp_path, f'subset,pid,camera,tracklet,frame\n{row}', 'query')


def test_a_frame_of_query_and_gallery_is_refused(tmp_path):
    rows = ['query,1,1,a,1.jpg', 'gallery,1,2,b,2.jpg', 'gallery,1,2,b,1.jpg']
    text = '\n'.join(['subset,pid,camera,tracklet,frame', *rows])
    with pytest.raises(ValueError, match=r'of the gallery set .* holds a frame that came before'):
        build_table(tmp_path, text, 'test')


def test_a_folder_that_a_tool_left_half_written_is_refused(root):
    (root / '.csipreid').mkdir()
    (root / '.csipreid/cut.json').write_text('{"tool": "cut", "source": "a.mp4"}')
    with pytest.raises(ValueError, match=r"half written: cut was stopped .* from 'a\.mp4'; run it"):
        build(root)


CELL = st.one_of(
    st.sampled_from(['train', 'query', '0', '1', '-1', '7', 'a', 'x.jpg', '../x.jpg', '1.0', '']),
    st.text(max_size=4),
)
ROW = st.one_of(
    st.lists(CELL, max_size=6),
    st.tuples(
        *(st.just('train'), st.sampled_from(['1', '2']), st.sampled_from(['', '1', '3'])),
        *(st.sampled_from('ab'), st.integers(0, 99).map('f/{}.jpg'.format)),
    ),
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(rows=st.lists(ROW, max_size=5), quoted=st.booleans())
def test_any_table_is_read_as_it_says_or_refused_in_one_sentence(rows, quoted):
    names = ['subset', 'pid', 'camera', 'tracklet', 'frame']
    file = io.StringIO()
    try:
        csv.writer(
            file, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE, escapechar='\\'
        ).writerows([names, *rows])
    except csv.Error:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'list.csv')
        path.write_text(file.getvalue(), encoding='utf-8', errors='surrogatepass', newline='')
        refused = ''
        try:
            dataset = build(folder, annotation='list.csv', check_files=False)
        except (ValueError, FileNotFoundError) as error:
            refused = str(error)
        if refused:
            assert '\n' not in refused
            return
    wanted = {(int(r[1]), int(r[2] or 0) - 1, r[3]) for r in rows if r and r[0] == 'train'}
    wanted = {(pid, camid) for pid, camid, _ in wanted if pid != -1}
    assert {(item['pid'], item['camid']) for item in dataset} == wanted
    assert all(Path(folder) in Path(p).parents for item in dataset for p in item['frame_paths'])
