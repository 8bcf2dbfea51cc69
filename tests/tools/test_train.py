"""The training commands on a few walkers: both stages, resume and two processes."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from csipreid.registry import MODELS
from csipreid.synthetic import write_walkers

ROOT = Path(__file__).parents[2]
ENV = dict(
    os.environ,
    PYTHON=sys.executable,
    PYTHONPATH=str(ROOT),
    OMP_NUM_THREADS='1',
    CUDA_VISIBLE_DEVICES='',
)
# Sizes at which an epoch takes a second.
SMALL = [
    'train_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
    'test_dataloader.num_workers=0',
    'model.image_encoder.arch.num_layers=1',
    'randomness.seed=3',
]
BASELINE = 'configs/baselines/image_only_walkers.py'
STAGE1, STAGE2 = 'configs/csip/stage1_walkers.py', 'configs/csip/stage2_walkers.py'


def call(*arguments, check=True):
    result = subprocess.run(
        [*map(str, arguments)], cwd=ROOT, env=ENV, capture_output=True, text=True, check=False
    )
    assert not check or result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result


def train(config, work_dir, data, *arguments, epochs=1, options=(), check=True):
    return call(
        sys.executable, 'tools/train.py', config, '--work-dir', work_dir, '--data-root', data,
        *arguments, '--cfg-options', *SMALL, f'train_cfg.max_epochs={epochs}',
        'train_cfg.val_interval=1', *options, check=check,
    )  # fmt: skip


def weights(path):
    return torch.load(path, weights_only=True)['state_dict']


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """Four identities, two cameras, some frames without a skeleton."""
    return write_walkers(
        tmp_path_factory.mktemp('data') / 'walkers',
        num_train_ids=5,
        num_test_ids=4,
        num_cams=2,
        tracklets=(2, 2),
        frames=(6, 9),
    )


@pytest.fixture(scope='module')
def runs(data, tmp_path_factory):
    """All trainings in a row, each two epochs."""
    root = tmp_path_factory.mktemp('runs')
    train(BASELINE, root / 'tower', data, epochs=1)
    tower = root / 'tower' / 'epoch_1.pth'
    train(STAGE1, root / 'stage1', data, '--pretrained', tower, epochs=2)
    aligned = root / 'stage1' / 'epoch_2.pth'
    train(STAGE2, root / 'stage2', data, '--stage1-checkpoint', aligned, epochs=2)
    return root


@pytest.mark.slow
def test_both_stages_train_and_test(runs, data):
    out = runs / 'metrics.json'
    call(
        sys.executable, 'tools/test.py', STAGE2, runs / 'stage2' / 'epoch_2.pth',
        '--data-root', data, '--work-dir', runs / 'test', '--out', out,
        '--cfg-options', *SMALL,
    )  # fmt: skip
    metrics = json.loads(out.read_text())
    assert 0 < metrics['reid/mAP'] <= 100
    assert metrics['reid/rank-20'] == 100  # of 16 tracklets


@pytest.mark.slow
def test_frozen_parts_stay_as_they_were_handed_over(runs):
    first, second = (
        weights(runs / 'stage1' / 'epoch_2.pth'),
        weights(runs / 'stage2' / 'epoch_2.pth'),
    )
    tower = weights(runs / 'tower' / 'epoch_1.pth')
    for key in first:
        if key.startswith(('skeleton_encoder.', 'skeleton_head.')):
            assert torch.equal(first[key], second[key])
        else:
            assert torch.equal(first[key], tower[key])


@pytest.mark.slow
@pytest.mark.parametrize('stage', [1, 2])
def test_interrupted_and_resumed_equals_uninterrupted(runs, data, tmp_path, stage):
    config = STAGE1 if stage == 1 else STAGE2
    # What a kill during the second epoch leaves behind.
    work_dir = tmp_path / 'interrupted'
    work_dir.mkdir()
    first = shutil.copy(runs / f'stage{stage}' / 'epoch_1.pth', work_dir)
    (work_dir / 'last_checkpoint').write_text(str(first))
    (work_dir / 'epoch_2.pth.partial').write_bytes(b'torn')
    # Neither the number of workers nor the weights handed over matter any more.
    gone = tmp_path / 'gone.pth'
    train(
        config, work_dir, data, '--resume', '--pretrained', gone, epochs=2,
        options=['train_dataloader.num_workers=1'],
    )  # fmt: skip
    expected = weights(runs / f'stage{stage}' / 'epoch_2.pth')
    assert same(weights(work_dir / 'epoch_2.pth'), expected)


@pytest.mark.slow
def test_two_processes_train_and_test_like_one(runs, data, tmp_path):
    work_dir = tmp_path / 'two'
    two = ['bash', 'tools/dist_train.sh', STAGE1, '2']
    common = ['--work-dir', work_dir, '--data-root', data]
    options = ['--cfg-options', *SMALL, 'train_cfg.max_epochs=1', 'train_dataloader.batch_size=8']
    tower = runs / 'tower' / 'epoch_1.pth'
    call(*two, *common, '--pretrained', tower, *options)
    two[2] = STAGE2
    common[1] = tmp_path / 'two2'
    batch = ['train_dataloader.batch_size=8', 'train_dataloader.sampler.batch_size=8']
    aligned = work_dir / 'epoch_1.pth'
    call(*two, *common, '--stage1-checkpoint', aligned, *options[:-1], *batch)
    checkpoint = tmp_path / 'two2' / 'epoch_1.pth'

    outs = [tmp_path / 'one.json', tmp_path / 'both.json']
    arguments = ['--data-root', data, '--work-dir', tmp_path / 'test']
    small = ['--cfg-options', *SMALL]
    call(sys.executable, 'tools/test.py', STAGE2, checkpoint, *arguments, '--out', outs[0], *small)
    call(
        'bash', 'tools/dist_test.sh', STAGE2, checkpoint, '2', *arguments, '--out', outs[1], *small
    )
    one, both = (json.loads(out.read_text()) for out in outs)
    assert both == pytest.approx(one, rel=1e-5)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['configs/csip/stage2_mars.py', '--data-root', 'nowhere'], 'nowhere'),
        (['configs/none.py'], 'config configs/none.py not found'),
        (
            ['configs/csip/stage2_walkers.py', '--cfg-options', 'train_dataloder.batch_size=2'],
            "did you mean 'train_dataloader'",
        ),
        (['configs/csip/stage2_mars.py', '--amp', 'float16'], 'float16 needs a GPU'),
        (
            ['configs/csip/stage1_walkers.py', '--cfg-options', 'train_cfg.val_intervall=2'],
            "did you mean 'val_interval'",
        ),
        ([BASELINE, '--pretrained', 'weights.pth'], '--pretrained has no place in it'),
    ],
)
def test_mistakes_are_one_clear_sentence(arguments, message, tmp_path):
    result = call(
        sys.executable, 'tools/train.py', *arguments[:1], '--work-dir', tmp_path, *arguments[1:],
        check=False,
    )  # fmt: skip
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith('error: ')
    assert message in last
    assert 'Traceback' not in result.stderr


@pytest.mark.parametrize(
    ('error', 'message'),
    [(OSError('the disk is full'), 'error: the disk is full'), (KeyError('a'), "KeyError: 'a'\n")],
)
def test_failure_is_told_before_the_other_processes_are_left(
    error, message, tmp_path, monkeypatch, capsys
):
    spec = importlib.util.spec_from_file_location('tools_train', ROOT / 'tools' / 'train.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def train():
        raise error

    runner = SimpleNamespace(train=train, work_dir=str(tmp_path), log_dir=str(tmp_path))
    told = []
    monkeypatch.setattr(sys, 'argv', ['train.py', str(ROOT / BASELINE)])
    monkeypatch.setattr(tool.RUNNERS, 'build', lambda cfg: runner)
    monkeypatch.setattr(tool.distributed, 'is_initialized', lambda: True)
    monkeypatch.setattr(tool.distributed, 'get_rank', lambda: 0)
    monkeypatch.setattr(
        tool.distributed, 'destroy_process_group', lambda: told.append(capsys.readouterr().err)
    )
    with pytest.raises(SystemExit) as end:
        tool.main()
    assert end.value.code == 1
    assert message in told[0]


def test_fault_in_a_users_own_class_shows_its_traceback(data, tmp_path):
    (tmp_path / 'mine.py').write_text(
        'from csipreid.models.losses import BatchHardTripletLoss\n'
        'from csipreid.registry import MODELS\n\n\n'
        '@MODELS.register_module()\n'
        'class Mine(BatchHardTripletLoss):\n'
        '    def __init__(self, weights, **kwargs):\n'
        '        super().__init__(**kwargs)\n'
        "        self.weights = dict(weights)['gone']\n"
    )
    config = tmp_path / 'config.py'
    config.write_text(
        f"_base_ = '{ROOT / BASELINE}'\n"
        "custom_imports = dict(imports=['mine'])\n"
        "model = dict(triplet_loss=dict(type='Mine', weights=dict(a=1)))\n"
    )
    result = subprocess.run(
        [sys.executable, 'tools/train.py', config, '--data-root', data, '--work-dir', tmp_path],
        env=dict(ENV, PYTHONPATH=f'{ROOT}:{tmp_path}'), cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert result.returncode == 1
    assert "self.weights = dict(weights)['gone']" in result.stderr
    assert result.stderr.strip().endswith("KeyError: 'gone'")


def test_stage_2_refuses_to_start_without_a_filled_skeleton_encoder(data, tmp_path):
    settings = Config.fromfile(ROOT / STAGE2).model.image_encoder
    settings.arch.num_layers = 1
    tower = MODELS.build(settings).state_dict()
    torch.save({f'image_encoder.{k}': v for k, v in tower.items()}, tmp_path / 'bad.pth')
    result = train(
        STAGE2, tmp_path / 'run', data, '--stage1-checkpoint', tmp_path / 'bad.pth', check=False
    )
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert f'checkpoint {tmp_path / "bad.pth"} holds no skeleton_encoder: train stage 1' in last


def test_stage_2_names_a_missing_stage_1_checkpoint(data, tmp_path):
    result = train(STAGE2, tmp_path, data, '--stage1-checkpoint', 'gone.pth', check=False)
    assert result.returncode == 1
    assert 'checkpoint gone.pth not found: train stage 1 first' in result.stderr


@pytest.mark.slow
def test_stored_features_give_the_same_losses_and_weights(runs, data, tmp_path):
    tower = runs / 'tower' / 'epoch_1.pth'
    train(
        STAGE1, tmp_path / 'uncached', data, '--pretrained', tower, epochs=2,
        options=['default_hooks.feature_cache=None'],
    )  # fmt: skip
    cached, uncached = (
        [json.loads(line) for path in sorted(root.glob('*/vis_data/scalars.json'))
         for line in path.read_text().splitlines()]
        for root in (runs / 'stage1', tmp_path / 'uncached')
    )  # fmt: skip
    losses = [[line['loss'] for line in lines if 'loss' in line] for lines in (cached, uncached)]
    assert len(losses[0]) > 1
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    scores = [
        [line['cross_modal/mAP'] for line in lines if 'cross_modal/mAP' in line]
        for lines in (cached, uncached)
    ]
    assert len(scores[0]) == 2
    assert scores[0] == pytest.approx(scores[1], rel=1e-6)
    assert (runs / 'feature_cache').is_dir()


def test_vanished_frame_ends_in_one_sentence(data, tmp_path):
    copy = shutil.copytree(data, tmp_path / 'walkers')
    config = tmp_path / 'late.py'
    config.write_text(
        f"_base_ = '{ROOT / BASELINE}'\n"
        'train_dataloader = dict(num_workers=1, dataset=dict(check_files=False))\n'
    )
    for path in copy.glob('bbox_train/*/*.jpg'):
        path.unlink()
    result = call(
        sys.executable, 'tools/train.py', config, '--work-dir', tmp_path / 'run',
        '--data-root', copy, '--no-validate', check=False,
    )  # fmt: skip
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith('error: [Errno 2] No such file or directory')
    assert '.jpg' in last
    assert 'Traceback' not in result.stderr
