import json
import os

import numpy as np
import pytest

from csipreid.skeletons.files import read_skeleton_file, write_skeleton_file


@pytest.fixture
def read(tmp_path):
    """Return a function that writes a text into a file and reads it as a skeleton of 2 joints."""

    def write_and_read(text):
        path = tmp_path / '0001C1T0001F001.json'
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return read_skeleton_file(str(path), num_joints=2)

    return write_and_read


def test_joints_are_float32(read):
    joints, _ = read({'keypoints': [[0, 1.5, 2], [3, 4, 5]]})
    assert joints.dtype == np.float32
    assert joints.tolist() == [[0, 1.5, 2], [3, 4, 5]]


@pytest.mark.parametrize('joints', [[[0, 0, 0], [0.0, 0, 0]], []])
def test_zeros_and_no_joints_mean_no_skeleton(read, joints):
    assert read({'keypoints': joints}) is None


def test_no_file_means_no_skeleton(tmp_path):
    assert read_skeleton_file(str(tmp_path / 'none/none.json'), 2) is None


@pytest.mark.parametrize(
    'content',
    [
        '',
        '{"keypoints": [[0, 1',
        '[]',
        {'joints': []},
        {'keypoints': [[0, 1, 2], [3, 4]]},
        {'keypoints': {'pelvis': [0, 1, 2]}},
        {'keypoints': 'none'},
    ],
)
def test_a_broken_file_is_named(read, content):
    with pytest.raises(ValueError, match=r'0001C1T0001F001\.json is not a skeleton file'):
        read(content)


def test_a_wrong_number_of_joints_is_named(read):
    with pytest.raises(ValueError, match=r'F001\.json must hold 2 x 3 numbers, got shape \(1, 3\)'):
        read({'keypoints': [[0, 1, 2]]})


@pytest.mark.parametrize('value', ['NaN', 'Infinity', 'null'])
def test_a_coordinate_that_is_no_number_is_an_error(read, value):
    with pytest.raises(ValueError, match=r'F001\.json holds NaN or infinite coordinates'):
        read(f'{{"keypoints": [[0, 1, {value}], [3, 4, 5]]}}')


def test_the_confidence_is_read_if_it_is_there(read):
    assert read({'keypoints': [[0, 1, 2], [3, 4, 5]], 'confidence': 0.5})[1] == 0.5
    assert np.isnan(read({'keypoints': [[0, 1, 2], [3, 4, 5]]})[1])


def test_what_is_written_is_read_without_loss(tmp_path):
    joints = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    write_skeleton_file(tmp_path / 'new/1.json', joints, 0.123456)
    read, confidence = read_skeleton_file(str(tmp_path / 'new/1.json'), 2)
    assert np.array_equal(read, joints)
    assert confidence == 0.1235


def test_not_found_is_written_as_no_joints_and_nothing_else_stays(tmp_path):
    (tmp_path / '1.json.partial').write_text('{"keypo')
    write_skeleton_file(tmp_path / '1.json', None, 0.2)
    assert json.loads((tmp_path / '1.json').read_text()) == dict(keypoints=[], confidence=0.2)
    assert os.listdir(tmp_path) == ['1.json']
    assert read_skeleton_file(str(tmp_path / '1.json'), 2) is None
