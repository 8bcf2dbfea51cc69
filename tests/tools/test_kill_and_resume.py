"""Trainings that are killed and told to leave, with the real commands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from csipreid.synthetic import write_walkers

ROOT = Path(__file__).parents[2]
CONFIG = 'configs/baselines/image_only_walkers.py'


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_walkers(
        tmp_path_factory.mktemp('data') / 'walkers',
        num_train_ids=5,
        num_test_ids=2,
        num_cams=2,
        tracklets=(2, 2),
        frames=(4, 6),
    )


@pytest.mark.slow
@pytest.mark.parametrize(('signal', 'kills'), [('KILL', 3), ('TERM', 2)])
def test_killed_training_ends_with_the_weights_of_one_left_alone(data, tmp_path, signal, kills):
    result = subprocess.run(
        [
            sys.executable, 'tools/misc/kill_and_resume.py', '--out', str(tmp_path / 'out'),
            '--kills', str(kills), '--signal', signal, CONFIG, '--data-root', str(data),
            '--cfg-options',
            'train_cfg.max_epochs=4', 'train_cfg.val_interval=2', 'val_dataloader.num_workers=0',
            'model.image_encoder.arch.num_layers=1',
        ],
        cwd=ROOT, env=dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    lines = result.stdout.splitlines()
    assert lines[-1].startswith(f'{kills} kills, ')
    assert lines[-1].endswith('all equal')
    assert sum('none torn' in line for line in lines) == kills


def test_differing_weights_and_torn_files_are_found(tmp_path):
    import importlib.util

    import torch

    path = ROOT / 'tools' / 'misc' / 'kill_and_resume.py'
    spec = importlib.util.spec_from_file_location('kill_and_resume', path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    for name, value in (('a', 1.0), ('b', 1.0), ('c', 1.0 + 1e-7)):
        (tmp_path / name).mkdir()
        weights = dict(x=torch.zeros(2), y=torch.tensor([value]))
        torch.save(dict(state_dict=weights), tmp_path / name / 'epoch_1.pth')
    assert tool.differences(tmp_path / 'a', tmp_path / 'b') == []
    assert tool.differences(tmp_path / 'a', tmp_path / 'c') == ['y']

    assert tool.check_files(tmp_path / 'a') == 1
    (tmp_path / 'a' / 'scalars.json').write_text('{"loss": 1.0}\n{"loss": 0.')
    with pytest.raises(ValueError, match=r'Expecting|Unterminated'):
        tool.check_files(tmp_path / 'a')
    (tmp_path / 'b' / 'epoch_1.pth').write_bytes(b'torn')
    with pytest.raises(ValueError, match='cannot be read'):
        tool.check_files(tmp_path / 'b')
