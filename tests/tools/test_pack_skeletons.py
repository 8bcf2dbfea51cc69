import importlib.util
from pathlib import Path

import numpy as np
import pytest

from csipreid.registry import TRANSFORMS
from csipreid.skeletons.files import write_skeleton_file

PATH = Path(__file__).parents[2] / 'tools/dataset_converters/pack_skeletons.py'
spec = importlib.util.spec_from_file_location('pack_skeletons', PATH)
pack_skeletons = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pack_skeletons)


@pytest.fixture
def paths(tmp_path):
    rng = np.random.default_rng(0)
    paths = [str(tmp_path / f'skeleton_3d/train/7/c1_1/{frame}.json') for frame in range(4)]
    for path in paths[:3]:
        write_skeleton_file(path, rng.normal(size=(17, 3)).astype(np.float32), 0.5)
    write_skeleton_file(paths[1], None, 0.0)
    return paths


def load(paths, missing='mask'):
    transform = TRANSFORMS.build(dict(type='LoadSkeletons', missing=missing))
    results = transform(dict(skeleton_paths=paths, frame_inds=np.array([3, 0, 1, 2, 0])))
    return results['skeletons'], results['skeleton_valid']


@pytest.mark.parametrize('missing', ['mask', 'nearest'])
def test_training_gets_the_same_values_without_the_files(paths, tmp_path, missing):
    before = load(paths, missing)
    pack_skeletons.main([str(tmp_path / 'skeleton_3d')])
    for path in paths[:3]:
        Path(path).unlink()
    after = load(paths, missing)
    assert np.array_equal(before[0], after[0])
    assert np.array_equal(before[1], after[1])
    assert before[1].sum() == (3 if missing == 'mask' else 5)


def test_the_file_is_named(paths, tmp_path, capsys):
    pack_skeletons.main([str(tmp_path / 'skeleton_3d')])
    assert 'skeleton_3d/train.skeletons.npz: 0.0 MB' in capsys.readouterr().out


def test_a_broken_file_ends_the_command(paths, tmp_path):
    Path(paths[0]).write_text('')
    with pytest.raises(SystemExit, match=r'error: .*0\.json is not a skeleton file'):
        pack_skeletons.main([str(tmp_path / 'skeleton_3d')])


def test_a_folder_without_parts_is_an_error(tmp_path):
    with pytest.raises(SystemExit, match='holds no folder to pack'):
        pack_skeletons.main([str(tmp_path)])
