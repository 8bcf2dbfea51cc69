"""What the size of a batch does to training: accumulated gradients and scaled rates."""

import itertools

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from torch import nn

from csipreid.engine import mixed_precision
from csipreid.registry import RUNNERS

_runs = itertools.count()


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.tower = nn.Sequential(nn.Linear(2, 8), nn.LayerNorm(8), nn.GELU())
        self.temporal = nn.Linear(8, 2)

    def forward(self, x, mode='tensor'):
        return dict(loss=(self.temporal(self.tower(x)) - x.flip(1)).square().mean())


class Data(torch.utils.data.Dataset):
    metainfo = dict(dataset_name='toy')  # noqa: RUF012

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return dict(x=torch.tensor([index / 10, (index * 7 % 10) / 10]))


def build(tmp_path, batch_size, epochs=2, **changes):
    name = f'batch_size{next(_runs)}'
    cfg = dict(
        runner_type='ReIDRunner', default_scope='csipreid', work_dir=str(tmp_path / name),
        experiment_name=name, log_level='WARNING', randomness=dict(seed=0),
        model=dict(type=Model), train_cfg=dict(type='ResumableTrainLoop', max_epochs=epochs),
        train_dataloader=dict(
            batch_size=batch_size, sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'), dataset=dict(type=Data),
        ),
        default_hooks=dict(plain=dict(type='PlainCheckpointHook')),
    )  # fmt: skip
    return RUNNERS.build(Config(cfg | changes))


def weights(runner):
    runner.train()
    return runner.bare_model.state_dict()


@pytest.mark.parametrize('wrapper', ['OptimWrapper', 'MixedPrecisionOptimWrapper'])
@pytest.mark.parametrize('optimizer', [dict(type='SGD', lr=0.1), dict(type='Adam', lr=0.01)])
def test_accumulated_batches_are_one_large_batch(tmp_path, wrapper, optimizer, monkeypatch):
    # In bfloat16 sums of other lengths round differently, whatever the wrapper does right.
    monkeypatch.setattr(mixed_precision, 'has_bfloat16_instructions', lambda: False)
    # 5 batches of 2 in twos, or 3 batches of 4, 4 and 2: the last update has less in both.
    wrapper = dict(type=wrapper, optimizer=optimizer)
    accumulated = build(tmp_path, 2, optim_wrapper=dict(wrapper, accumulative_counts=2))
    expected = weights(build(tmp_path, 4, optim_wrapper=wrapper))
    for key, value in weights(accumulated).items():
        torch.testing.assert_close(value, expected[key], rtol=1e-5, atol=1e-6)


def test_all_groups_are_scaled_by_the_total_batch_over_the_base(tmp_path):
    runner = build(
        tmp_path, 2, epochs=1,
        optim_wrapper=dict(
            constructor='MultipliedLROptimWrapperConstructor', optimizer=dict(type='SGD', lr=0.4),
            paramwise_cfg=dict(bias_lr_mult=2, lr_mults={'temporal.': 10}),
        ),
        param_scheduler=dict(type='LinearLR', start_factor=0.5, begin=0, end=9),
        auto_scale_lr=dict(enable=True, base_batch_size=8),
    )  # fmt: skip
    wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.scale_lr(wrapper, runner.auto_scale_lr)
    rates = {
        group['lr']: {id(parameter) for parameter in group['params']}
        for group in wrapper.optimizer.param_groups
    }
    named = {id(p): name for name, p in runner.bare_model.named_parameters()}
    found = {named[key]: rate for rate, keys in rates.items() for key in keys}
    # A quarter of the base batch, so a quarter of the rates.
    assert found['tower.0.weight'] == pytest.approx(0.1)
    assert found['tower.0.bias'] == pytest.approx(0.2)
    assert found['temporal.weight'] == pytest.approx(1.0)
    assert found['temporal.bias'] == pytest.approx(2.0)
    assert wrapper.get_lr()['base_lr'] == [pytest.approx(0.1)]


def test_schedules_start_from_the_scaled_rate(tmp_path):
    runner = build(
        tmp_path, 2, epochs=1,
        optim_wrapper=dict(
            constructor='MultipliedLROptimWrapperConstructor', optimizer=dict(type='SGD', lr=0.4),
            paramwise_cfg=dict(bias_lr_mult=2),
        ),
        param_scheduler=dict(type='LinearLR', start_factor=0.5, begin=0, end=9),
        auto_scale_lr=dict(enable=True, base_batch_size=8),
    )  # fmt: skip
    runner.train()
    hub = runner.message_hub
    assert hub.get_scalar('train/lr').data[0][0] == pytest.approx(0.4 / 4 * 0.5)
    assert hub.get_scalar('train/base_lr').data[0][0] == pytest.approx(0.4 / 4 * 0.5)


def test_without_the_switch_nothing_is_scaled(tmp_path):
    runner = build(
        tmp_path, 2, epochs=1, optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.4)),
        auto_scale_lr=dict(enable=False, base_batch_size=8),
    )  # fmt: skip
    runner.train()
    assert runner.optim_wrapper.param_groups[0]['lr'] == 0.4
