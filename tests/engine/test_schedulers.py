import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from csipreid.registry import PARAM_SCHEDULERS

ROOT = Path(__file__).parents[2]
GOLDEN = json.loads((ROOT / 'tests' / 'data' / 'schedules.json').read_text())


def rates(config, epochs, lr=1.0):
    """Learning rate of each epoch, as the runner's hook steps the schedulers."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    configs = config if isinstance(config, list) else [config]
    schedulers = [
        PARAM_SCHEDULERS.build(dict(c), default_args=dict(optimizer=optimizer)) for c in configs
    ]
    values = []
    for _ in range(epochs):
        values.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return values


def test_warmup_and_cosine_have_closed_forms():
    config = dict(type='WarmupCosineLR', total=4, warmup=2, start_factor=0.5, end_factor=0.1)
    expected = [0.75, 0.1 + 0.9 * 0.5, 0.1 + 0.9 * (1 - 0.5**0.5) / 2, 0.1]
    assert rates(config, 4) == pytest.approx(expected)


def test_resumed_schedule_continues():
    config = dict(type='WarmupCosineLR', total=10, warmup=3)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    first = PARAM_SCHEDULERS.build(config, default_args=dict(optimizer=optimizer))
    for _ in range(4):
        optimizer.step()
        first.step()
    second = PARAM_SCHEDULERS.build(config, default_args=dict(optimizer=optimizer))
    second.load_state_dict(first.state_dict())
    second.step()
    assert optimizer.param_groups[0]['lr'] == pytest.approx(rates(config, 6)[5])


def test_warmup_longer_than_the_run_is_refused():
    with pytest.raises(ValueError, match=r'warmup must be in \[0, total=4\], got 5'):
        rates(dict(type='WarmupCosineLR', total=4, warmup=5), 1)


@pytest.mark.parametrize(
    ('stage', 'key'), [(1, 'stage1_lr_epoch_1_to_120'), (2, 'stage2_mars_lr_epoch_1_to_80')]
)
def test_shipped_schedules_equal_the_published_ones(stage, key):
    cfg = Config.fromfile(ROOT / 'configs' / 'csip' / f'stage{stage}_mars.py')
    lr = cfg.optim_wrapper.optimizer.lr
    values = rates(cfg.param_scheduler, cfg.train_cfg.max_epochs, lr)
    assert values == pytest.approx(GOLDEN[key], rel=1e-9)
