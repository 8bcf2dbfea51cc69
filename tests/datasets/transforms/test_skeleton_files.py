import json

import numpy as np
import pytest

from csipreid.datasets.transforms.skeleton_files import JSONSkeletonReader


@pytest.fixture
def read(tmp_path):
    """Return a function that writes a text into a file and reads it as a skeleton of 2 joints."""

    def write_and_read(text):
        path = tmp_path / '0001C1T0001F001.json'
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return JSONSkeletonReader(num_joints=2).read(str(path))

    return write_and_read


def test_joints_are_float32(read):
    joints = read({'keypoints': [[0, 1.5, 2], [3, 4, 5]]})
    assert joints.dtype == np.float32
    assert joints.tolist() == [[0, 1.5, 2], [3, 4, 5]]


@pytest.mark.parametrize('joints', [[[0, 0, 0], [0.0, 0, 0]], []])
def test_zeros_and_no_joints_mean_no_skeleton(read, joints):
    assert read({'keypoints': joints}) is None


def test_no_file_means_no_skeleton(tmp_path):
    assert JSONSkeletonReader(2).read(str(tmp_path / 'none/none.json')) is None


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


def test_find_missing_looks_for_the_files(tmp_path):
    (tmp_path / '1.json').touch()
    paths = [str(tmp_path / '1.json'), str(tmp_path / '2.json')]
    assert JSONSkeletonReader(2).find_missing(paths) == paths[1:]
