import os
import platform
import subprocess
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csipreid.skeletons.packed import PACK_SUFFIX, PackedSkeletons, find_pack, write_pack


def write(folder, names, seed=0, **kwargs):
    rng = np.random.default_rng(seed)
    arrays = dict(
        keypoints=rng.normal(size=(len(names), 17, 3)).astype(np.float32),
        confidence=rng.random(len(names)).astype(np.float32),
        found=rng.random(len(names)) < 0.5,
    )
    arrays.update(kwargs)
    path = str(folder / f'part{PACK_SUFFIX}')
    write_pack(path, names, layout='h36m', **arrays)
    return path, arrays


def test_arrays_come_back_under_their_names(tmp_path):
    path, arrays = write(tmp_path, ['b/1', 'a/2', 'a/10'])
    pack = PackedSkeletons(path)
    rows = pack.find(['b/1', 'a/2', 'a/10'])
    for key, value in arrays.items():
        assert np.array_equal(getattr(pack, key)[rows], value)
    assert pack.layout == 'h36m'


def test_absent_names_have_row_minus_1(tmp_path):
    pack = PackedSkeletons(write(tmp_path, ['a/1', 'a/2'])[0])
    names = ['a/0', 'a/2', 'a/3', 'a/20', '', 'a/222222']
    assert pack.find(names).tolist() == [-1, 1, -1, -1, -1, -1]


def test_paths_are_found_relative_to_the_packed_folder(tmp_path):
    pack = PackedSkeletons(write(tmp_path, ['a/1', '人/2.x'])[0])
    folder = tmp_path / 'part'
    paths = [folder / '人/2.x.json', folder / 'a/1.json', folder / 'a/3.json']
    assert pack.find_paths([str(path) for path in paths]).tolist() == [1, 0, -1]


def test_the_order_of_writing_does_not_change_the_file(tmp_path):
    names, keypoints = ['b', 'a', 'c'], np.arange(9.0).reshape(3, 1, 3)
    contents = []
    for order in ([0, 1, 2], [2, 0, 1]):
        path, _ = write(
            tmp_path,
            [names[i] for i in order],
            keypoints=keypoints[order],
            confidence=np.arange(3.0)[order],
            found=np.ones(3, bool),
        )
        contents.append(Path(path).read_bytes())
    assert contents[0] == contents[1]


def test_numpy_reads_the_file_too(tmp_path):
    path, arrays = write(tmp_path, ['a', 'b'])
    with np.load(path) as content:
        assert np.array_equal(content['keypoints'], arrays['keypoints'])


def test_arrays_are_maps_of_the_file_and_aligned(tmp_path):
    pack = PackedSkeletons(write(tmp_path, [f'{n:05}' for n in range(100)])[0])
    for array in (pack.names, pack.keypoints, pack.confidence):
        assert isinstance(array.base, np.memmap)
        assert array.ctypes.data % 64 == 0


def test_no_skeleton_at_all_is_a_file_too(tmp_path):
    pack = PackedSkeletons(write(tmp_path, [])[0])
    assert len(pack) == 0
    assert pack.find(['a']).tolist() == [-1]


@pytest.mark.parametrize('share', [0, 0.3, 0.99])
def test_a_truncated_file_is_named(tmp_path, share):
    path, _ = write(tmp_path, ['a', 'b'])
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r'part\.skeletons\.npz is not a whole file of packed'):
        PackedSkeletons(path)


def test_a_compressed_file_is_named(tmp_path):
    path = tmp_path / f'part{PACK_SUFFIX}'
    np.savez_compressed(path, **{key: np.zeros(3) for key in ('names', 'keypoints')})
    with pytest.raises(ValueError, match='names is compressed'):
        PackedSkeletons(str(path))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path, _ = write(tmp_path, ['a', 'b'])
    before = Path(path).read_bytes()
    monkeypatch.setattr(zipfile.ZipFile, 'open', lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write(tmp_path, ['c'], seed=1)
    assert Path(path).read_bytes() == before
    assert os.listdir(tmp_path) == [os.path.basename(path)]


def test_what_a_killed_process_left_is_removed(tmp_path):
    dead = subprocess.Popen(['true'])
    dead.wait()
    for process in (dead.pid, os.getppid()):
        (tmp_path / f'part{PACK_SUFFIX}.partial-{platform.node()}-{process}').touch()
    write(tmp_path, ['a'])
    left = sorted(path.name.rpartition('-')[2] for path in tmp_path.glob('*.partial*'))
    assert left == [str(os.getppid())]


def test_a_name_that_comes_twice_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="frame 'a' comes twice"):
        write(tmp_path, ['a', 'b', 'a'])


def test_lengths_must_agree(tmp_path):
    with pytest.raises(ValueError, match='got 2, 2, 1 and 2'):
        write(tmp_path, ['a', 'b'], confidence=np.zeros(1))


def test_a_pack_of_a_folder_above_is_found(tmp_path):
    path, _ = write(tmp_path, ['a/1'])
    assert find_pack(str(tmp_path / 'part' / 'a')) == path
    assert find_pack(str(tmp_path / 'part')) == path
    assert find_pack(str(tmp_path / 'other' / 'a')) is None


def store(path, **changes):
    """Write a pack of two frames with some arrays changed, None leaves one out."""
    arrays = dict(
        names=np.array([b'a', b'b']), keypoints=np.ones((2, 17, 3), np.float32),
        confidence=np.ones(2, np.float32), found=np.ones(2, bool), layout=np.array(['h36m']),
    )  # fmt: skip
    arrays |= changes
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return str(path)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(names=np.array([b'b', b'a'])), 'names must ascend'),
        (dict(names=np.array([b'a', b'a'])), 'names must ascend, each once'),
        (dict(names=np.array(['a', 'b'])), 'names must have 1 axes, the type S'),
        (dict(keypoints=np.ones((2, 17, 3))), 'keypoints must have .* type f4 .* got float64'),
        (dict(keypoints=np.ones((3, 17, 3), np.float32)), r'got float32 of shape \(3, 17, 3\)'),
        (dict(confidence=np.ones(1, np.float32)), r'confidence must .* shape \(1,\)'),
        (dict(found=np.ones(2)), 'found must have'),
        (dict(layout=np.array(['h36m', 'coco'])), 'layout must be one name'),
        (dict(layout=np.array([1])), 'layout must be one name'),
        (dict(found=None), 'found'),
        (dict(names=np.array([b'a', 'b'], object)), 'names holds objects'),
    ],
)
def test_arrays_of_another_kind_are_named(tmp_path, changes, message):
    path = store(tmp_path / f'part{PACK_SUFFIX}', **changes)
    with pytest.raises(ValueError, match=f'is not a whole file of packed skeletons .*{message}'):
        PackedSkeletons(path)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(place=st.floats(0, 1), bits=st.integers(1, 255), length=st.floats(0, 1))
def test_a_changed_or_torn_pack_is_read_as_defined_or_one_sentence(place, bits, length):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(store(Path(folder, f'part{PACK_SUFFIX}')))
        content = bytearray(path.read_bytes())
        content[int(place * (len(content) - 1))] ^= bits
        path.write_bytes(content[: None if length > 0.5 else int(length * 2 * len(content))])
        refused = ''
        try:
            pack = PackedSkeletons(str(path))
        except ValueError as error:
            refused = str(error)
        if refused:
            assert refused.startswith(str(path))
            assert 'pack them again' in refused
            return
        assert pack.keypoints.ndim == 3
        assert len(pack.names) == len(pack.keypoints) == len(pack.confidence) == len(pack.found)
        assert sorted(pack.names.tolist()) == pack.names.tolist()
        rows = pack.find([name.decode('latin-1') for name in pack.names.tolist() if name.isascii()])
        assert -1 not in rows.tolist()
