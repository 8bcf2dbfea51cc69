import numpy as np
import pytest

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
