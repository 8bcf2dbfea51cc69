import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csipreid.skeletons.files import (
    SkeletonFileError,
    read_origin,
    read_skeleton_file,
    write_skeleton_file,
)


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
        {'keypoints': [['0', '1', '2'], ['3', '4', '5']]},
        {'keypoints': [[True, True, True], [False, True, True]]},
        {'keypoints': [[10**400, 1, 2], [3, 4, 5]]},
        {'keypoints': [[0, 1, 2], [3, 4, 5]], 'confidence': '0.5'},
        {'keypoints': [[0, 1, 2], [3, 4, 5]], 'confidence': True},
        '[' * 100_000,
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


@pytest.mark.parametrize('value', [-0.1, 1.5, float('nan'), float('inf')])
def test_a_confidence_that_cannot_be_is_named(read, value):
    with pytest.raises(
        SkeletonFileError, match=r'F001\.json: the confidence must be in \[0, 1\], got'
    ):
        read({'keypoints': [[0, 1, 2], [3, 4, 5]], 'confidence': value})


def test_coordinates_beyond_float32_are_not_finite(read):
    with pytest.raises(SkeletonFileError, match='holds NaN or infinite'):
        read({'keypoints': [[0, 1, 1e300], [3, 4, 5]]})


def test_the_origin_is_read_and_does_not_change_the_skeleton(tmp_path):
    joints = np.ones((2, 3), np.float32)
    write_skeleton_file(tmp_path / '1.json', joints, 0.5, dict(source='a.jpg'))
    assert read_origin(tmp_path / '1.json') == dict(source='a.jpg')
    assert read_skeleton_file(str(tmp_path / '1.json'), 2)[0].tolist() == joints.tolist()


@pytest.mark.parametrize('text', ['', '[]', '{"keypoints": []}', '{"origin": 3}', '[' * 100_000])
def test_a_file_that_names_no_origin_has_an_empty_one(tmp_path, text):
    assert read_origin(tmp_path / '1.json') is None
    (tmp_path / '1.json').write_text(text)
    assert read_origin(tmp_path / '1.json') == {}


NUMBER = st.one_of(st.integers(-3, 3), st.floats(), st.none(), st.booleans(), st.just('1'))
CONTENT = st.one_of(
    st.fixed_dictionaries(
        dict(keypoints=st.lists(st.lists(NUMBER, min_size=2, max_size=3), max_size=3)),
        optional=dict(confidence=NUMBER),
    ),
    st.fixed_dictionaries(
        dict(
            keypoints=st.lists(
                st.lists(st.floats(-9, 9, width=32), min_size=3, max_size=3),
                min_size=2, max_size=2,
            ),
            confidence=st.floats(0, 1),
        )
    ),
    st.recursive(NUMBER, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(['keypoints', 'confidence', 'x']), inner
    )),
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(content=CONTENT, cut=st.integers(0, 300))
def test_any_json_is_a_skeleton_as_defined_or_one_sentence(content, cut):
    text = json.dumps(content)[: cut if cut < 30 else None]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, '1.json')
        path.write_text(text)
        refused = ''
        try:
            skeleton = read_skeleton_file(str(path), 2)
        except SkeletonFileError as error:
            refused = str(error)
        if refused:
            assert refused.startswith(str(path))
            assert '\n' not in refused
            return
    keypoints = np.array(json.loads(text)['keypoints'], float)
    if skeleton is None:
        assert not np.float32(keypoints).any()
    else:
        assert np.array_equal(skeleton[0], np.float32(keypoints))
        assert np.isnan(skeleton[1]) or skeleton[1] == content['confidence']
