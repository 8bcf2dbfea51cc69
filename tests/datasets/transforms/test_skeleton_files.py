import json
import pickle

import numpy as np
import pytest

from csipreid.datasets.transforms.skeleton_files import SkeletonReader
from csipreid.skeletons.packed import PACK_SUFFIX, write_pack


def test_find_missing_looks_for_the_files(tmp_path):
    (tmp_path / '1.json').touch()
    paths = [str(tmp_path / '1.json'), str(tmp_path / '2.json')]
    assert SkeletonReader(2, 'two').find_missing(paths) == paths[1:]


@pytest.fixture
def packed(tmp_path):
    """Three frames in two folders of part/, packed and without JSON files; 'b/2' not found."""
    write_pack(
        tmp_path / f'part{PACK_SUFFIX}',
        ['b/2', 'a/1', 'b/1'],
        np.stack([np.full((2, 3), value) for value in (0, 1, 2)]),
        np.array([0, 0.9, 0.8]),
        np.array([False, True, True]),
        layout='two',
    )
    return tmp_path / 'part'


def paths_of(folder, *names):
    return [str(folder / f'{name}.json') for name in names]


def test_packed_skeletons_are_those_of_the_paths(packed):
    skeletons, found = SkeletonReader(2, 'two').read(paths_of(packed, 'b/1', 'a/1', 'b/1'))
    assert skeletons[:, 0, 0].tolist() == [2, 1, 2]
    assert skeletons.dtype == np.float32
    assert found.all()


def test_frames_that_are_not_packed_or_not_found_have_none(packed):
    skeletons, found = SkeletonReader(2, 'two').read(paths_of(packed, 'b/2', 'a/1', 'a/2', 'a/111'))
    assert found.tolist() == [False, True, False, False]
    assert skeletons[~found].tolist() == np.zeros((3, 2, 3)).tolist()


def test_packed_and_loose_skeletons_mix(packed):
    (packed.parent / 'loose').mkdir()
    joints = [[7, 7, 7], [8, 8, 8]]
    (packed.parent / 'loose/1.json').write_text(json.dumps({'keypoints': joints}))
    paths = [*paths_of(packed, 'a/1'), *paths_of(packed.parent, 'loose/1', 'loose/2')]
    skeletons, found = SkeletonReader(2, 'two').read(paths)
    assert skeletons[:, 0, 0].tolist() == [1, 7, 0]
    assert found.tolist() == [True, True, False]


def test_find_missing_looks_into_packed_files(packed):
    paths = paths_of(packed, 'a/1', 'a/2', 'b/2')
    assert SkeletonReader(2, 'two').find_missing(paths) == paths[1:2]


def test_a_packed_file_of_another_layout_is_an_error(packed):
    with pytest.raises(ValueError, match=r"layout 'two' and shape .2, 3., LoadSkeletons expects"):
        SkeletonReader(17, 'h36m').read(paths_of(packed, 'a/1'))


def test_a_copy_for_another_process_opens_its_own_files(packed):
    reader = SkeletonReader(2, 'two')
    reader.read(paths_of(packed, 'a/1'))
    content = pickle.dumps(reader)
    assert len(content) < 500
    assert pickle.loads(content).read(paths_of(packed, 'a/1'))[1].all()


@pytest.mark.parametrize('names', [['a'], ['a', 'none']])
def test_packed_coordinates_must_be_finite_as_those_of_files(tmp_path, names):
    keypoints = np.array([[[0, 1, 2], [3, np.inf, 5]]])
    pack = tmp_path / f'part{PACK_SUFFIX}'
    write_pack(pack, ['a'], keypoints, np.ones(1), np.ones(1, bool), layout='two')
    with pytest.raises(ValueError, match='holds NaN or infinite coordinates; extract and pack'):
        SkeletonReader(2, 'two').read(paths_of(tmp_path / 'part', *names))
