import json
import os

import numpy as np
import pytest

from csipreid.feature_cache import (
    PART_LEN,
    FeatureCache,
    FrameStamps,
    stamp_file,
    update_stamps,
)


def stamps(length, first=0):
    rows = np.arange(first, first + length)
    return FrameStamps(rows + 100, rows + 200, (rows + 300).astype(np.uint64))


def fill(cache, parts):
    """Row r of the cache becomes r, r + 0.5 …"""
    for part in parts:
        rows = np.array(cache.part_range(part))
        features = rows[:, None] + np.arange(cache.dim) / 2
        cache.write_part(part, features, stamps(len(rows), rows[0]))


@pytest.fixture
def cache(tmp_path):
    return FeatureCache(tmp_path / 'cache', 2 * PART_LEN + 3, 2)


def test_parts_become_one_map_of_all_rows(cache):
    fill(cache, [2, 0, 1])
    cache.join(dict(frames='three parts'))
    features = cache.features()
    assert features.rows.shape == (2 * PART_LEN + 3, 2)
    rows = np.array([0, PART_LEN, 2 * PART_LEN + 2, 1])
    assert np.array_equal(features.take(rows), np.stack([rows, rows + 0.5], axis=1))
    assert features.take(rows).dtype == np.float32
    assert cache.stamps().size[PART_LEN + 5] == PART_LEN + 105
    assert json.loads((cache.folder / 'about.json').read_text()) == dict(frames='three parts')


def test_nothing_but_the_result_is_left(cache):
    fill(cache, range(3))
    cache.join({})
    left = sorted(path.name for path in cache.folder.iterdir())
    assert left == ['about.json', 'features.npy', 'frames.npz']


def test_interrupted_cache_knows_what_is_missing(cache):
    assert cache.missing_parts() == [0, 1, 2]
    fill(cache, [1])
    assert cache.missing_parts() == [0, 2]
    assert cache.features() is None
    with pytest.raises(FileNotFoundError, match='part_00000'):
        cache.join({})
    assert cache.missing_parts() == [0, 2]


@pytest.mark.parametrize('cut', [10, 1000])
def test_torn_part_is_missing(cache, cut):
    fill(cache, range(3))
    path = cache.folder / 'part_00001.npz'
    path.write_bytes(path.read_bytes()[:-cut])
    assert cache.missing_parts() == [1]


def test_torn_features_are_not_used(cache):
    fill(cache, range(3))
    cache.join({})
    path = cache.folder / 'features.npy'
    path.write_bytes(path.read_bytes()[:-8])
    assert cache.features() is None


def test_features_of_another_size_are_not_used(cache):
    fill(cache, range(3))
    cache.join({})
    assert FeatureCache(cache.folder, cache.num_frames, 3).features() is None
    assert FeatureCache(cache.folder, cache.num_frames, 2, 'float16').features() is None


def test_half_precision_takes_half_the_disk(tmp_path):
    sizes = []
    for dtype in ('float32', 'float16'):
        cache = FeatureCache(tmp_path / dtype, PART_LEN, 64, dtype)
        cache.write_part(0, np.full((PART_LEN, 64), 1 / 3), stamps(PART_LEN))
        cache.join({})
        assert cache.features().take(np.array([7]))[0, 0] == pytest.approx(1 / 3, rel=1e-3)
        sizes.append((tmp_path / dtype / 'features.npy').stat().st_size - 128)
    assert sizes == [cache.num_bytes * 2, cache.num_bytes]


def test_unknown_precision_is_named(tmp_path):
    with pytest.raises(ValueError, match="got 'float64'"):
        FeatureCache(tmp_path, 1, 1, 'float64')


@pytest.fixture
def files(tmp_path):
    paths = [str(tmp_path / name) for name in ('a', 'b')]
    for path in paths:
        with open(path, 'wb') as file:
            file.write(path.encode())
    return paths


def stamps_of(paths):
    size, modified, digest = zip(*map(stamp_file, paths), strict=True)
    return FrameStamps(np.array(size), np.array(modified), np.array(digest, np.uint64))


def test_unchanged_files_keep_their_stamps(files):
    before = stamps_of(files)
    assert np.array_equal(update_stamps(files, before).modified, before.modified)


def test_copied_file_is_the_same_with_a_new_time(files):
    before = stamps_of(files)
    os.utime(files[1], ns=(5, 5))
    assert update_stamps(files, before).modified[1] == 5


@pytest.mark.parametrize('content', [b'longer than it was, whatever it was called before', None])
def test_changed_file_is_noticed(files, content):
    before = stamps_of(files)
    with open(files[0], 'rb') as file:
        old = file.read()
    with open(files[0], 'wb') as file:
        file.write(content or old[::-1])
    os.utime(files[0], ns=(5, 5))
    assert update_stamps(files, before) is None


def test_many_files_are_all_looked_at(files):
    paths = [files[0]] * (2 * PART_LEN) + [files[1]]
    before = stamps_of(paths)
    os.utime(files[1], ns=(5, 5))
    after = update_stamps(paths, before)
    assert np.array_equal(after.modified[:-1], before.modified[:-1])
    assert after.modified[-1] == 5
    with open(files[1], 'wb') as file:
        file.write(b'another')
    assert update_stamps(paths, before) is None


def test_features_stay_until_others_are_whole(cache):
    fill(cache, range(3))
    cache.join({})
    fill(cache, [1])  # by another run, which finds the rest removed
    with pytest.raises(FileNotFoundError, match='part_00000'):
        cache.join({})
    assert cache.features() is not None


def test_only_what_nobody_writes_to_is_removed(cache):
    fill(cache, [0])
    old, new = (cache.folder / f'{name}.partial' for name in ('old', 'new'))
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    cache.remove_abandoned()
    assert not old.exists()
    assert new.exists()
    assert cache.missing_parts() == [1, 2]


def test_parts_of_files_that_changed_are_removed_and_others_stay(files, tmp_path):
    paths = [files[0]] * PART_LEN + [files[1]]
    cache = FeatureCache(tmp_path / 'cache', len(paths), 2)
    for part in range(2):
        frames = cache.part_range(part)
        cache.write_part(
            part, np.zeros((len(frames), 2)), stamps_of(paths[frames.start : frames.stop])
        )
    os.utime(files[0], ns=(5, 5))  # copied: another time, the same content
    assert cache.remove_stale_parts(paths) == 0
    with open(files[1], 'wb') as file:
        file.write(b'replaced')
    assert cache.remove_stale_parts(paths) == 1
    assert cache.missing_parts() == [1]


@pytest.mark.parametrize(
    'wrong',
    [
        dict(size=np.zeros((3, 1), int)),
        dict(modified=np.zeros(3)),
        dict(digest=np.array(['a'] * 3)),
    ],
)
def test_stamps_of_another_kind_are_not_stamps(tmp_path, wrong):
    cache = FeatureCache(tmp_path, 3, 2)
    fill(cache, [0])
    right = dict(np.load(tmp_path / 'part_00000.npz'))
    np.savez(tmp_path / 'part_00000.npz', **(right | wrong))
    assert cache.missing_parts() == [0]


@pytest.mark.parametrize('name', ['part_00000.npz', 'features.npy', 'frames.npz'])
def test_pickled_objects_are_never_loaded(tmp_path, name):
    cache = FeatureCache(tmp_path, 3, 2)
    fill(cache, [0])
    cache.join({})
    hostile = np.array([_Hostile(str(tmp_path / 'created'))] * 3, object)
    save = np.save if name.endswith('.npy') else np.savez
    save(tmp_path / name, hostile)
    assert (cache.features() is None, cache.stamps() is None, cache.missing_parts()) == (
        name == 'features.npy', name == 'frames.npz', [0]
    )  # fmt: skip
    assert not (tmp_path / 'created').exists()


class _Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, 'w')
