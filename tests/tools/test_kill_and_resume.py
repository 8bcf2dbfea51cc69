"""Trainings that are killed and told to leave, with the real commands."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from csipreid.synthetic import write_walkers

ROOT = Path(__file__).parents[2]
CONFIG = 'configs/baselines/image_only_walkers.py'

spec = importlib.util.spec_from_file_location(
    'kill_and_resume', ROOT / 'tools' / 'misc' / 'kill_and_resume.py'
)
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

# Stores features, slowly, beside its work directory, then writes its checkpoint.
TRAINING = """
import os, shutil, sys, time
from pathlib import Path

work_dir = Path(sys.argv[sys.argv.index('--work-dir') + 1])
cache = work_dir.parent / 'feature_cache' / 'key'
if (cache / 'features.npy').exists():
    print('stored already')
else:
    cache.mkdir(parents=True, exist_ok=True)
    partial = cache / f'features.npy.{os.getpid()}.partial'
    shutil.copy(os.environ['FEATURES'], partial)
    time.sleep(0.5)
    partial.rename(cache / 'features.npy')
shutil.copy(os.environ['CHECKPOINT'], work_dir / 'epoch_1.pth')
"""


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
    with pytest.raises(ValueError, match='is not a checkpoint'):
        tool.check_files(tmp_path / 'b')
    np.save(tmp_path / 'features.npy', np.zeros(9))
    assert tool.check_files(tmp_path / 'c') == 1
    torn = (tmp_path / 'features.npy').read_bytes()[:-1]
    (tmp_path / 'c' / 'features.npy').write_bytes(torn)
    with pytest.raises(ValueError, match='cannot be read'):
        tool.check_files(tmp_path / 'c')


def kill(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['kill_and_resume.py', *map(str, arguments)])
    tool.main()


def test_kills_meet_the_storing_of_features(monkeypatch, tmp_path, capsys):
    (tmp_path / 'train.py').write_text(TRAINING)
    np.save(tmp_path / 'features.npy', np.zeros(9))
    torch.save(dict(state_dict=dict(x=torch.zeros(2))), tmp_path / 'epoch.pth')
    monkeypatch.setenv('FEATURES', str(tmp_path / 'features.npy'))
    monkeypatch.setenv('CHECKPOINT', str(tmp_path / 'epoch.pth'))
    monkeypatch.setattr(tool, 'TRAIN', tmp_path / 'train.py')
    monkeypatch.setattr(tool.random.Random, 'uniform', lambda self, start, end: start)
    out = tmp_path / 'out'
    kill(monkeypatch, '--out', out, '--kills', 2, 'config.py')
    assert 'kill 2: farthest checkpoint none, within a write' in capsys.readouterr().out
    assert 'stored already' not in (out / 'killed.log').read_text()


def test_folder_with_files_is_left_alone(monkeypatch, tmp_path):
    (tmp_path / 'mine').touch()
    with pytest.raises(SystemExit, match=r'error: --out .* name a folder that is new or empty'):
        kill(monkeypatch, '--out', tmp_path, 'config.py')
    assert (tmp_path / 'mine').exists()


@pytest.mark.parametrize(
    ('said', 'status', 'saved', 'message'),
    [
        ('Epoch(train) [1][5/9]', 75, None, 'left with 75, but without a checkpoint'),
        ('Epoch(train) [1][5/9]', 75, 'epoch_1.pth', None),
        ('Checkpoints will be saved to x', 75, None, None),
        ('Checkpoints will be saved to x', -15, None, 'ended by SIGTERM'),
        ('Checkpoints will be saved to x', -15, 'epoch_1.pth', 'ended by SIGTERM'),
        ('Checkpoints will be saved to x', -15, 'epoch_2.pth', None),
        ('Config:', -15, None, None),
    ],
)
def test_training_that_was_told_to_leave_must_have_saved(tmp_path, said, status, saved, message):
    log = tmp_path / 'log'
    log.write_text('Epoch(train) of the training before\n')
    end = 'os.kill(os.getpid(), 15)' if status < 0 else f'sys.exit({status})'
    program = f'import os, sys; print({said!r}, flush=True); {end}'
    victim = tool.Victim([sys.executable, '-c', program], tmp_path / 'killed', log)
    assert victim.process.wait() == status
    if saved:
        (victim.work_dir / saved).touch()
    if message is None:
        victim.check_leaving('epoch_2.pth')
    else:
        with pytest.raises(ValueError, match=message):
            victim.check_leaving('epoch_2.pth')


def test_what_an_earlier_kill_left_is_no_write(tmp_path):
    folder = tmp_path / 'killed' / 'run'
    folder.mkdir(parents=True)
    partial = folder / 'epoch_1.pth.partial'
    partial.write_bytes(b'torn')
    victim = tool.Victim([sys.executable, '-c', ''], tmp_path / 'killed', tmp_path / 'log')
    victim.finish()
    assert not victim.writes()
    with pytest.raises(ValueError, match='unfinished files are left'):
        victim.check_tidiness()
    os.utime(partial, ns=(0, 0))
    assert victim.writes()  # the file is written anew
