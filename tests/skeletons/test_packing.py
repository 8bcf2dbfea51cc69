import numpy as np
import pytest

from csipreid.skeletons.files import write_skeleton_file
from csipreid.skeletons.packed import PackedSkeletons
from csipreid.skeletons.packing import pack_folder


@pytest.fixture
def folder(tmp_path):
    """Two skeletons and a frame in which none was found."""
    rng = np.random.default_rng(0)
    for name in ('a/1', 'b/c/2'):
        joints = rng.normal(size=(17, 3)).astype(np.float32)
        write_skeleton_file(tmp_path / f'part/{name}.json', joints, 0.75)
    write_skeleton_file(tmp_path / 'part/a/2.json', None, 0.1)
    (tmp_path / 'part/notes.txt').touch()
    return tmp_path / 'part'


def test_every_file_is_packed_under_its_relative_name(folder):
    pack = PackedSkeletons(pack_folder(folder))
    assert pack.names.tolist() == [b'a/1', b'a/2', b'b/c/2']
    assert pack.found.tolist() == [True, False, True]
    assert pack.confidence[[0, 2]].tolist() == [0.75, 0.75]


def test_values_are_those_of_the_files(folder):
    pack = PackedSkeletons(pack_folder(folder))
    expected = np.random.default_rng(0).normal(size=(2, 17, 3)).astype(np.float32)
    assert np.array_equal(pack.keypoints[[0, 2]], expected)


def test_progress_ends_with_all_files(folder):
    calls = []
    pack_folder(folder, progress=lambda *args: calls.append(args))
    assert calls == [(3, 3)]


def test_a_broken_file_is_named_and_nothing_is_written(folder):
    (folder / 'a/3.json').write_text('')
    with pytest.raises(ValueError, match=r'3\.json is not a skeleton file'):
        pack_folder(folder)
    assert [path.name for path in folder.parent.iterdir()] == ['part']


def test_a_folder_without_skeletons_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'no skeleton file in .*extract skeletons first'):
        pack_folder(tmp_path)


@pytest.mark.slow
def test_several_processes_write_the_same_file(folder):
    contents = []
    for num_workers in (1, 2):
        with open(pack_folder(folder, num_workers=num_workers), 'rb') as file:
            contents.append(file.read())
    assert contents[0] == contents[1]
