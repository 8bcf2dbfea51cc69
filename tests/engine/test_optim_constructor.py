import pytest
import torch
from torch import nn

from csipreid.registry import OPTIM_WRAPPER_CONSTRUCTORS


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tower = nn.Linear(2, 2)
        self.temporal = nn.Linear(2, 2)
        self.frozen = nn.Linear(2, 2).requires_grad_(False)


def build(**paramwise):
    constructor = OPTIM_WRAPPER_CONSTRUCTORS.build(
        dict(
            type='MultipliedLROptimWrapperConstructor',
            optim_wrapper_cfg=dict(optimizer=dict(type='Adam', lr=0.5, weight_decay=0.1)),
            paramwise_cfg=paramwise,
        )
    )
    model = Model()
    rates = {}
    for group in constructor(model).optimizer.param_groups:
        assert group['weight_decay'] == 0.1
        rates |= {id(parameter): group['lr'] for parameter in group['params']}
    return {name: rates.get(id(p)) for name, p in model.named_parameters()}


def test_rules_multiply():
    rates = build(bias_lr_mult=2, lr_mults={'temporal.': 10})
    assert rates['tower.weight'] == 0.5
    assert rates['tower.bias'] == 1.0
    assert rates['temporal.weight'] == 5.0
    assert rates['temporal.bias'] == 10.0


def test_frozen_parameters_get_no_group():
    assert build()['frozen.weight'] is None


def test_prefix_without_a_parameter_is_named():
    with pytest.raises(ValueError, match="no parameter name starts with 'temprl'"):
        build(lr_mults={'temprl': 10})


def test_unknown_rule_is_named():
    with pytest.raises(ValueError, match=r"unknown keys \['bias_lr'\]"):
        build(bias_lr=2)


def test_parameters_of_one_rate_share_a_group():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    constructor = OPTIM_WRAPPER_CONSTRUCTORS.build(
        dict(
            type='MultipliedLROptimWrapperConstructor',
            optim_wrapper_cfg=dict(optimizer=dict(type='SGD', lr=1.0)),
            paramwise_cfg=dict(bias_lr_mult=2),
        )
    )
    groups = constructor(model).optimizer.param_groups
    assert [(group['lr'], len(group['params'])) for group in groups] == [(1.0, 2), (2.0, 2)]
    assert isinstance(constructor(model).optimizer, torch.optim.SGD)
