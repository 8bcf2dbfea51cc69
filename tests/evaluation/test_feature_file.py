import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from csipreid.evaluation.feature_file import FeatureFile, read_features, write_features
from csipreid.evaluation.tracklet_set import TrackletSet

ARRAYS = dict(
    embedding=np.eye(3, dtype=np.float32),
    pid=np.array([1, 1, 2]),
    camid=np.array([0, 1, 1]),
    is_query=np.array([True, False, False]),
)
PATHS = [['a/1.jpg', 'a/2.jpg'], [], ['b/ü.jpg']]


def test_what_is_written_is_read(tmp_path):
    write_features(tmp_path / 'f.npz', FeatureFile(TrackletSet(**ARRAYS), PATHS, dict(a=[1])))
    read = read_features(tmp_path / 'f.npz')
    assert all((getattr(read.tracklets, key) == ARRAYS[key]).all() for key in ARRAYS)
    assert read.frame_paths == PATHS
    assert read.meta == dict(a=[1])


def test_a_failed_write_leaves_the_old_file(tmp_path):
    features = FeatureFile(TrackletSet(**ARRAYS), PATHS)
    write_features(tmp_path / 'f.npz', features)
    with pytest.raises(TypeError):
        write_features(tmp_path / 'f.npz', FeatureFile(features.tracklets, PATHS, dict(a=object())))
    assert read_features(tmp_path / 'f.npz').frame_paths == PATHS
    assert len(list(tmp_path.iterdir())) == 1


def test_four_arrays_are_enough(tmp_path):
    np.savez(tmp_path / 'f.npz', **ARRAYS)
    assert read_features(tmp_path / 'f.npz').frame_paths is None


def test_one_text_of_paths_for_each_tracklet_is_read(tmp_path):
    texts = ['\n'.join(paths) for paths in PATHS]
    np.savez(tmp_path / 'f.npz', **ARRAYS, frame_paths=texts, meta='made by hand')
    read = read_features(tmp_path / 'f.npz')
    assert read.frame_paths == PATHS
    assert read.meta == dict(text='made by hand')


def test_pickled_paths_are_not_unpickled(tmp_path):
    np.savez(tmp_path / 'f.npz', **ARRAYS, frame_paths=np.array(PATHS, dtype=object))
    assert read_features(tmp_path / 'f.npz').frame_paths is None


def test_missing_arrays_are_named(tmp_path):
    np.savez(tmp_path / 'f.npz', embedding=ARRAYS['embedding'], pid=ARRAYS['pid'])
    with pytest.raises(ValueError, match=r"no \['camid', 'is_query'\]"):
        read_features(tmp_path / 'f.npz')


def test_shapes_must_agree(tmp_path):
    np.savez(tmp_path / 'f.npz', **(ARRAYS | dict(pid=np.zeros(2))))
    with pytest.raises(ValueError, match=r'got \(3, 3\) and .*\(2,\)'):
        read_features(tmp_path / 'f.npz')


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='--dump'):
        read_features(tmp_path / 'f.npz')


def test_paths_must_fit_the_tracklets(tmp_path):
    with pytest.raises(ValueError, match='each of 3 tracklets, got 1'):
        write_features(tmp_path / 'f.npz', FeatureFile(TrackletSet(**ARRAYS), PATHS[:1]))


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(pid=[1, np.nan, 2]), 'pid must hold whole numbers, got nan in row 1'),
        (dict(pid=[1, 1, 2.25]), r'pid must hold whole numbers, got 2\.25 in row 2'),
        (dict(pid=[1, -2, 2]), r'pid must be from -1 .* got -2 in row 1'),
        (dict(pid=['anna', 'anna', 'ben']), "pid must hold whole numbers, got 'anna' in row 0"),
        (dict(camid=[0, np.inf, 1]), 'camid must be from -1 .* got inf in row 1'),
        (dict(camid=np.array([0, 2**63, 1], np.uint64)), 'camid must be from -1 .* in row 1'),
        (dict(camid=np.zeros((3, 1), int)), r"'camid': \(3, 1\)"),
        (dict(is_query=['yes', 'no', 'no']), "is_query must hold booleans, or 0 and 1, .* 'yes'"),
        (dict(is_query=[1, 2, 0]), 'is_query must hold booleans, or 0 and 1'),
        (dict(is_query=[1.0, np.nan, 0]), 'is_query must hold booleans, or 0 and 1'),
        (dict(embedding=np.ones((3, 2), complex)), 'embedding must hold numbers, got complex'),
        (dict(embedding=np.array([['1'], ['2'], ['3']])), 'embedding must hold numbers, got <U1'),
        (dict(embedding=np.ones(3)), 'embedding must be'),
        (dict(embedding=np.array([[1], [2], [None]])), 'embedding holds Python objects, not'),
        (dict(frame_counts=[1, 1, 1]), 'sum to the 2 frame_paths, got int64 .* sum to 3'),
        (dict(frame_counts=[3, -1, 0]), 'must hold 3 whole numbers'),
        (dict(frame_counts=[1.0, 1.0, 0]), 'must hold 3 whole numbers .* got float64'),
        (dict(frame_counts=[[1, 1, 0]]), 'must hold 3 whole numbers'),
    ],
)
def test_values_that_cannot_be_are_named(tmp_path, change, message):
    np.savez(tmp_path / 'f.npz', **{**ARRAYS, 'frame_paths': ['a', 'b'], **change})
    with pytest.raises(ValueError, match=rf'f\.npz: .*{message}'):
        read_features(tmp_path / 'f.npz')


def test_numbers_of_other_types_are_read_if_they_are_whole(tmp_path):
    changed = dict(pid=np.array([1.0, 1, -1]), is_query=np.array([1, 0, 0], np.uint8))
    np.savez(tmp_path / 'f.npz', **ARRAYS | changed)
    read = read_features(tmp_path / 'f.npz').tracklets
    assert (read.pid.dtype, read.pid.tolist()) == (np.int64, [1, 1, -1])
    assert (read.is_query.dtype, read.is_query.tolist()) == (bool, [True, False, False])


@pytest.mark.parametrize('share', [0.1, 0.5, 0.9])
def test_a_torn_file_is_named(tmp_path, share):
    np.savez(tmp_path / 'f.npz', **ARRAYS)
    content = (tmp_path / 'f.npz').read_bytes()
    (tmp_path / 'f.npz').write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r'f\.npz is no feature file \(\.npz\) but torn'):
        read_features(tmp_path / 'f.npz')


def test_a_damaged_array_is_named(tmp_path):
    np.savez_compressed(tmp_path / 'f.npz', **ARRAYS)
    content = bytearray((tmp_path / 'f.npz').read_bytes())
    content[60:70] = bytes(10)
    (tmp_path / 'f.npz').write_bytes(content)
    with pytest.raises(ValueError, match=r'f\.npz: embedding is torn \(.*\); write the file again'):
        read_features(tmp_path / 'f.npz')


ANY = arrays_of.arrays(
    dtype=st.one_of(
        arrays_of.boolean_dtypes(), arrays_of.integer_dtypes(), arrays_of.unsigned_integer_dtypes(),
        arrays_of.floating_dtypes(), arrays_of.unicode_string_dtypes(max_len=3),
    ),
    shape=st.one_of(st.just((3,)), arrays_of.array_shapes(min_dims=0, max_dims=2, max_side=3)),
)  # fmt: skip
FILES = st.fixed_dictionaries(
    {key: st.one_of(st.just(value), ANY) for key, value in ARRAYS.items()},
    optional=dict(frame_paths=ANY, frame_counts=ANY, meta=ANY),
)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(content=FILES, damage=st.none() | st.tuples(st.floats(0, 1), st.integers(1, 255)))
def test_any_file_is_read_as_it_says_or_refused_in_one_sentence(content, damage):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'f.npz')
        np.savez(path, **content)
        if damage is not None:
            data = bytearray(path.read_bytes())
            data[int(damage[0] * (len(data) - 1))] ^= damage[1]
            path.write_bytes(data)
        refused = ''
        try:
            read = read_features(path)
        except ValueError as error:
            refused = str(error)
        if refused:
            assert refused.startswith(str(path))
            assert '\n' not in refused
            assert 'allow_pickle' not in refused
            return
    if damage is None:
        for key in ARRAYS:
            assert np.array_equal(
                getattr(read.tracklets, key), content[key], equal_nan=key[0] == 'e'
            )
    if read.frame_paths is not None:
        assert len(read.frame_paths) == len(read.tracklets.pid)
    write_again(read)


def write_again(read):
    """What was read can be written, and is the same."""
    with tempfile.TemporaryDirectory() as folder:
        write_features(Path(folder, 'g.npz'), read)
        again = read_features(Path(folder, 'g.npz'))
    assert again.tracklets.pid.tolist() == read.tracklets.pid.tolist()
