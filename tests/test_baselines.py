"""TF-CLIP and CLIP-ReID: every config trains, and both run from data to a score."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope

from csipreid.checkpoint import read_checkpoint, write_checkpoint
from csipreid.registry import MODELS
from csipreid.structures import ReIDDataSample
from csipreid.synthetic import write_walkers

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(
    path
    for name in ('tfclip/*', 'clipreid/*', 'csip_plus/tfclip_*', 'csip_plus/clipreid_*')
    for path in (ROOT / 'configs').glob(f'{name}.py')
)
TOWER = dict(
    type='CLIPVisionTransformer',
    arch=dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48, patch_size=8),
    image_size=(32, 16),
    embed_dim=16,
)
SMALL = dict(
    PromptedTextEncoder=dict(width=16, num_layers=1, num_heads=2),
    SequenceSpecificPrompt=dict(num_heads=2),
    TemporalMemoryDiffusion=dict(num_heads=3),
)


def small_model(cfg):
    """Build the model of a config with a tower of two layers."""
    model = cfg.model
    model.image_encoder = dict(TOWER)
    for part in ('text_encoder', 'prototype_updater', 'temporal'):
        if model.get(part):
            model[part].update(SMALL[model[part].type])
    sizes = dict(num_ids=3, num_cams=2)
    if model.type == 'PromptLearner':
        del sizes['num_cams']
    with DefaultScope.overwrite_default_scope('csipreid'):
        return MODELS.build(model, default_args=sizes)


def batch(clip_len):
    frames = [torch.randint(0, 256, (clip_len, 3, 32, 16), dtype=torch.uint8) for _ in range(4)]
    samples = [ReIDDataSample(pid=i // 2, camid=i % 2, label=i // 2) for i in range(4)]
    return dict(inputs=dict(frames=frames), data_samples=samples)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_config_trains_two_iterations(path):
    torch.manual_seed(0)
    cfg = Config.fromfile(path)
    model = small_model(cfg).train()
    bank = model.prototype_bank
    if cfg.model.type != 'PromptLearner':
        bank.fill(torch.randn_like(bank.tables[0]))
    with DefaultScope.overwrite_default_scope('csipreid'):
        optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    before = {name: p.detach().clone() for name, p in trained.items()}
    for _ in range(2):
        losses = model.train_step(batch(cfg.clip_len), optim_wrapper)
        assert losses['loss'].isfinite()
    # The class token's embedding starts at zero, and the last norm of an attention's key bias
    # has no gradient; everything else moves.
    still = [name for name in trained if torch.equal(before[name], trained[name])]
    assert still == []


def test_configs_of_both_baselines_are_found():
    assert len(CONFIGS) == 21


def run(*arguments):
    environment = dict(
        os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES=''
    )
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=ROOT, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Walkers, and an untrained tower for the configs of the study."""
    folder = tmp_path_factory.mktemp('baselines')
    write_walkers(
        folder / 'walkers', num_train_ids=4, num_test_ids=4, num_cams=2, tracklets=(2, 2),
        frames=(4, 7), num_workers=1,
    )  # fmt: skip
    for name in ('clipreid', 'csip_plus/clipreid'):
        cfg = Config.fromfile(ROOT / f'configs/{name.split("/")[0]}' / 'clipreid_stage1_walkers.py')
        encoder = dict(cfg.model.image_encoder)
        with DefaultScope.overwrite_default_scope('csipreid'):
            tower = MODELS.build(encoder).state_dict()
        state = {f'image_encoder.{key}': value for key, value in tower.items()}
        write_checkpoint(dict(state_dict=state), folder / f'{name.split("/")[0]}.pth')
    return folder


def train(folder, config, weights, option='--pretrained', check=True, batch_size=8):
    work_dir = folder / Path(config).stem / config.split('/')[-2]
    loader = [
        f'train_dataloader.batch_size={batch_size}',
        f'train_dataloader.sampler.batch_size={batch_size}',
    ]
    result = run(
        'tools/train.py', config, '--work-dir', work_dir, '--data-root', folder / 'walkers',
        option, weights, '--cfg-options', 'train_cfg.max_epochs=1', 'train_cfg.val_interval=1',
        *(['train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False']),
        *([] if 'stage1' in config else loader), 'default_hooks.checkpoint.interval=1',
    )  # fmt: skip
    assert not check or result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result if not check else work_dir / 'epoch_1.pth'


@pytest.mark.slow
@pytest.mark.parametrize(
    ('stage1', 'stage2', 'weights'),
    [
        (None, 'configs/tfclip/tfclip_walkers.py', 'clipreid.pth'),
        (None, 'configs/csip_plus/tfclip_walkers.py', 'csip_plus.pth'),
        (
            'configs/clipreid/clipreid_stage1_walkers.py',
            'configs/clipreid/clipreid_stage2_walkers.py',
            'clipreid.pth',
        ),
        (
            'configs/csip_plus/clipreid_stage1_walkers.py',
            'configs/csip_plus/clipreid_stage2_walkers.py',
            'csip_plus.pth',
        ),
    ],
)
def test_both_stages_and_the_test_run_on_walkers(folder, stage1, stage2, weights):
    start = folder / weights
    if stage1 is not None:
        start = train(folder, stage1, start)
        state = read_checkpoint(start)['state_dict']
        assert state['prototype_bank.filled'] == 1
        assert state['prototype_bank.text_prototypes'].std() > 0
    trained = train(folder, stage2, start, batch_size=4 if 'csip_plus' in stage2 else 8)
    assert read_checkpoint(trained)['state_dict']['prototype_bank.filled'] == 1
    result = run('tools/test.py', stage2, trained, '--data-root', folder / 'walkers')
    assert result.returncode == 0, result.stderr[-3000:]
    assert 'reid/mAP' in result.stdout


@pytest.mark.slow
def test_stage_2_names_what_a_checkpoint_without_texts_lacks(folder):
    config = 'configs/clipreid/clipreid_stage2_walkers.py'
    result = train(folder, config, folder / 'clipreid.pth', check=False)
    assert result.returncode == 1
    assert 'holds no prototype_bank: train stage 1 of configs/clipreid first' in result.stderr
    assert 'Traceback' not in result.stderr
