import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from csipreid.datasets.mot_boxes import TrackedBox, read_boxes


def write(tmp_path, text):
    (tmp_path / 'boxes.txt').write_text(text)
    return tmp_path / 'boxes.txt'


def test_boxes_come_by_frame_and_track(tmp_path):
    path = write(tmp_path, '2,1,5,6,7,8,1,-1,-1,-1\n\n1,3,1.5,2,3,4\n1,2,0,0,1,1\n')
    boxes = read_boxes(path).boxes
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
        ('1,1,2,3,4,5,sure\n', 'line 1: must be frame'),
        ('1,1_0,2,3,4,5\n', 'line 1: must be frame'),
        ('1,2.5,2,3,4,5\n', 'line 1: frame and track must be whole'),
        ('1.5,2,2,3,4,5\n', 'line 1: frame and track must be whole'),
        ('1,1e300,2,3,4,5\n', 'line 1: frame and track must be whole'),
        ('1,1,2,3,4,1e9\n', 'line 1: a box lies within 1000000 pixels'),
        ('1,1,2,3,4,5,1,1.5,1\n', 'line 1: the class must be whole'),
        ('1,1,2,3,4,5\n2,-1,2,3,4,5\n', 'line 2: track -1 is a detection .* tracks first'),
        ('1,-4,2,3,4,5\n', 'line 1: frames count from 1 and .* tracks count from 0'),
        ('1,1,2,3,4,5,0\n', r'no box of a person, 1 lines were left out \(1 with confidence 0'),
        ('<!DOCTYPE html>\n', 'must be a text file .* but is an HTML page'),
        ('nan,1,2,3,4,5\n', 'line 1: must be frame'),
        ('0,1,2,3,4,5\n', 'line 1: frames count from 1'),
        ('1,1,2,3,0,5\n', 'line 1: frames count from 1 and boxes have a size'),
        ('1,1,2,3,4,5\n1,1,9,3,4,5\n', 'track 1 has two boxes in frame 1'),
        ('', 'holds no box of a person'),
    ],
)
def test_what_is_no_box_is_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_boxes(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.txt not found'):
        read_boxes(tmp_path / 'none.txt')


def test_ground_truth_that_is_not_to_be_considered_or_no_person_is_left_out(tmp_path):
    rows = ['1,1,0,0,4,4,1,1,1', '1,2,0,0,4,4,0,1,1', '1,3,0,0,4,4,1,3,1', '1,4,0,0,4,4,1,7,0.2']
    boxes = read_boxes(write(tmp_path, '\n'.join(rows)))
    assert [box.track for box in boxes.boxes] == [1, 4]
    assert (boxes.ignored, boxes.others) == (1, 1)
    assert 'left out: 1 that are not to be considered (confidence 0), 1 that are no' in str(boxes)


def test_what_stands_behind_the_confidence_of_a_tracker_is_no_class(tmp_path):
    rows = ['1,1,0,0,4,4,0.9,-1,-1,-1', '2,1,0,0,4,4,-1,5,5,0', '3,1,0,0,4,4,1,-1,-1']
    assert len(read_boxes(write(tmp_path, '\n'.join(rows))).boxes) == 3


def test_boxes_outside_are_counted_and_those_that_reach_in_stay(tmp_path):
    rows = ['1,1,-3,0,4,4', '2,1,-5,0,4,4', '3,1,9,19,4,4', '4,1,10,0,4,4', '5,1,2,2,0.2,4']
    boxes = read_boxes(write(tmp_path, '\n'.join(rows))).within(20, 10)
    assert [box.frame for box in boxes.boxes] == [1, 3]
    assert boxes.outside == 3


def test_boxes_of_another_video_are_refused(tmp_path):
    boxes = read_boxes(write(tmp_path, '1,1,900,0,4,4\n'))
    with pytest.raises(ValueError, match='none of 1 boxes lies in the frames of 10 x 20 pixels'):
        boxes.within(20, 10)


NUMBERS = st.one_of(
    st.integers(-3, 12), st.floats(width=32), st.sampled_from(['', ' 7 ', 'x', '1e400', '٣', '0x1'])
).map(str)
LINES = st.one_of(
    st.lists(NUMBERS, min_size=5, max_size=10).map(','.join),
    st.tuples(
        *(st.integers(1, 9), st.integers(0, 3), st.integers(-9, 30), st.integers(-9, 30)),
        *(st.integers(1, 9), st.integers(1, 9), st.sampled_from([0, 1, 0.5, -1])),
    ).map(lambda row: ','.join(map(str, row))),
    st.text(max_size=20),
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(lines=st.lists(LINES, max_size=6))
@example(lines=['1,1,-30,0,20,40', '2,1,0,0,20,40'])
def test_any_text_is_boxes_as_defined_or_one_sentence(lines):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'boxes.txt')
        path.write_text('\n'.join(lines), encoding='utf-8', errors='surrogatepass')
        refused = ''
        try:
            boxes = read_boxes(path)
        except ValueError as error:
            refused = str(error)
        if refused:
            assert refused.startswith(str(path))
            assert '\n' not in refused
            return
    for box in boxes.boxes:
        assert box.frame >= 1
        assert box.track >= 0
        assert all(map(math.isfinite, box))
        assert min(box.width, box.height) > 0
    rows = [line.split(',') for line in '\n'.join(lines).split('\n') if line.strip()]
    zero = sum(len(row) > 6 and float(row[6]) == 0 for row in rows)
    assert boxes.ignored == zero
    assert len(boxes.boxes) + boxes.ignored + boxes.others == len(rows)
