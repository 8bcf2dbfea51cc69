"""A training step never waits for the device: it runs where there are no values to wait for."""

import contextlib
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import DefaultScope

from csipreid.registry import HOOKS, MODELS, OPTIM_WRAPPER_CONSTRUCTORS
from csipreid.structures import ReIDDataSample

ROOT = Path(__file__).parents[2]
CONFIGS = ['csip/stage1_walkers', 'csip/stage2_walkers', 'baselines/image_only_walkers']


def build_model(cfg):
    """The model of a config without values, its prototypes taken for filled."""
    sizes = {} if cfg.model.type == 'SkeletonImagePretrainer' else dict(num_ids=5, num_cams=2)
    with torch.device('meta'), DefaultScope.overwrite_default_scope('csipreid'):
        model = MODELS.build(cfg.model, default_args=sizes).to('meta')
    if getattr(model, 'prototype_bank', None) is not None:
        model.prototype_bank.is_filled = True
    return model.train()


def batch(cfg):
    """Four clips, as a data loader yields them."""
    samples = [ReIDDataSample(pid=i // 2, camid=i % 2, label=i // 2) for i in range(4)]
    for sample in samples:
        sample.skeleton_valid = torch.ones(4, dtype=torch.bool, device='meta')
    frames = [torch.zeros(4, 3, *cfg.image_size, dtype=torch.uint8) for _ in range(4)]
    inputs = dict(frames=frames, skeletons=[torch.zeros(4, 17, 3) for _ in range(4)])
    return dict(inputs=inputs, data_samples=samples)


def test_reading_a_value_would_fail_here():
    with pytest.raises((RuntimeError, NotImplementedError)):
        torch.ones(2, device='meta').sum().item()
    with pytest.raises((RuntimeError, NotImplementedError)):
        bool(torch.ones(2, device='meta').all())
    with pytest.raises((RuntimeError, NotImplementedError)):
        torch.ones(2, device='meta')[torch.ones(2, dtype=torch.bool, device='meta')]


@pytest.mark.parametrize('name', CONFIGS)
def test_a_step_reads_no_value_from_the_device(name, monkeypatch):
    # There is no mixed precision without values; the triplet loss switches it off.
    monkeypatch.setattr(torch, 'autocast', lambda *_, **__: contextlib.nullcontext())
    cfg = Config.fromfile(ROOT / 'configs' / f'{name}.py')
    model = build_model(cfg)
    with DefaultScope.overwrite_default_scope('csipreid'):
        optim_wrapper = OPTIM_WRAPPER_CONSTRUCTORS.build(
            dict(
                type=cfg.optim_wrapper.get('constructor', 'DefaultOptimWrapperConstructor'),
                optim_wrapper_cfg=dict(type='OptimWrapper', optimizer=cfg.optim_wrapper.optimizer),
                paramwise_cfg=cfg.optim_wrapper.get('paramwise_cfg'),
            )
        )(model)
        hooks = [
            HOOKS.build(hook)
            for hook in Config.fromfile(
                ROOT / 'configs' / '_base_' / 'default_runtime.py'
            ).default_hooks.values()
            if hook.type in ('DeferredRuntimeInfoHook', 'SkeletonCoverageHook', 'RandomnessHook')
        ]
    runner = SimpleNamespace(
        message_hub=MessageHub.get_instance(f'synchronisation {name}'), hooks=hooks, epoch=0,
        iter=0, max_epochs=1, max_iters=9, rank=0, seed=0, optim_wrapper=optim_wrapper,
        train_dataloader=type('Loader', (), dict(dataset=None, __len__=lambda _: 9))(),
    )  # fmt: skip
    assert len(hooks) == 3
    for hook in hooks:
        hook.before_train(runner)
    for index in range(2):
        data = batch(cfg)
        for hook in hooks:
            hook.before_train_iter(runner, index, data)
        # The step of MMEngine without the optimiser, whose kernels need values.
        with optim_wrapper.optim_context(model):
            losses = model(**model.data_preprocessor(data, True), mode='loss')
        loss, outputs = model.parse_losses(losses)
        optim_wrapper.scale_loss(loss).backward()
        for hook in hooks:
            hook.after_train_iter(runner, index, data, outputs)
    assert any(parameter.grad is not None for parameter in model.parameters())
