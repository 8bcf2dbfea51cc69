import copy

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
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


CONSTRUCTORS = ['FusedOptimWrapperConstructor', 'MultipliedLROptimWrapperConstructor']


def construct(constructor, model=None, **optimizer):
    """Build the optimiser of a model as a runner does."""
    optimizer = dict(type='Adam', lr=0.1) | optimizer
    config = dict(optimizer=optimizer, constructor=constructor)
    with DefaultScope.overwrite_default_scope('csipreid'):
        return build_optim_wrapper(Model() if model is None else model, config)


def fused(wrapper):
    return {bool(group.get('fused')) for group in wrapper.optimizer.param_groups}


@pytest.mark.parametrize('constructor', CONSTRUCTORS)
def test_optimizers_are_fused_where_the_device_can(constructor):
    assert fused(construct(constructor)) == {True}
    assert fused(construct(constructor, type='AdamW')) == {True}
    assert fused(construct(constructor, type='SGD')) == {True}
    assert fused(construct(constructor, type=torch.optim.Adam)) == {True}


@pytest.mark.parametrize('constructor', CONSTRUCTORS)
def test_what_the_config_says_wins(constructor):
    assert fused(construct(constructor, fused=False)) == {False}
    assert fused(construct(constructor, foreach=True)) == {False}


@pytest.mark.parametrize('constructor', CONSTRUCTORS)
def test_optimizers_without_such_a_kernel_stay_as_they_are(constructor):
    assert isinstance(construct(constructor, type='RMSprop').optimizer, torch.optim.RMSprop)


@pytest.mark.parametrize('constructor', CONSTRUCTORS)
def test_parameters_on_two_devices_or_without_a_kernel_are_not_fused(constructor):
    model = Model()
    model.tower.to('meta')
    assert fused(construct(constructor, model)) == {False}
    model = Model().to(torch.complex64)
    assert fused(construct(constructor, model)) == {False}


def steps(model, wrapper, seeds):
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        wrapper.update_params(model.tower(torch.randn(4, 2, generator=generator)).square().mean())


@pytest.mark.parametrize('constructor', CONSTRUCTORS)
def test_a_fused_optimizer_does_the_same_and_resumes_exactly(constructor):
    torch.manual_seed(0)
    model = Model()
    state = copy.deepcopy(model.state_dict())
    wrapper = construct(constructor, model, weight_decay=1e-2)
    steps(model, wrapper, range(3))
    half, optimizer = copy.deepcopy((model.state_dict(), wrapper.state_dict()))
    steps(model, wrapper, range(3, 6))

    resumed = Model()
    resumed.load_state_dict(half)
    other = construct(constructor, resumed, weight_decay=1e-2)
    other.load_state_dict(optimizer)
    steps(resumed, other, range(3, 6))
    assert torch.equal(resumed.tower.weight, model.tower.weight)

    plain = Model()
    plain.load_state_dict(state)
    steps(plain, construct(constructor, plain, weight_decay=1e-2, fused=False), range(6))
    torch.testing.assert_close(plain.tower.weight, model.tower.weight, rtol=1e-6, atol=1e-6)


def test_fused_groups_keep_the_rules_of_mmengine():
    config = dict(
        optimizer=dict(type='Adam', lr=0.1, weight_decay=0.5),
        constructor='FusedOptimWrapperConstructor',
        paramwise_cfg=dict(bias_decay_mult=0.0),
    )
    with DefaultScope.overwrite_default_scope('csipreid'):
        wrapper = build_optim_wrapper(Model(), config)
    assert {group['weight_decay'] for group in wrapper.optimizer.param_groups} == {0.0, 0.5}
    assert fused(wrapper) == {True}
