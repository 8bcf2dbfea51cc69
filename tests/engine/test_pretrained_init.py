"""Weights of a file are loaded whole or not at all."""

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.registry import DefaultScope
from torch import nn

from csipreid.registry import MODELS


class Tower(BaseModule):
    def __init__(self, init_cfg=None):
        super().__init__(init_cfg)
        self.layer = nn.Linear(2, 3)
        self.norm = nn.BatchNorm1d(3)


WEIGHTS = {
    'layer.weight': torch.full((3, 2), 7.0),
    'layer.bias': torch.ones(3),
    'norm.weight': torch.ones(3),
    'norm.bias': torch.ones(3),
    'norm.running_mean': torch.ones(3),
    'norm.running_var': torch.ones(3),
}


def fill(tmp_path, state, **settings):
    file = tmp_path / 'weights.pth'
    torch.save(state, file)
    tower = Tower(dict(type='Pretrained', checkpoint=str(file), **settings))
    with DefaultScope.overwrite_default_scope('csipreid'):  # as in a run
        tower.init_weights()
    return tower


def test_module_is_filled_and_what_the_file_holds_besides_is_left(tmp_path):
    tower = fill(tmp_path, WEIGHTS | {'head.weight': torch.ones(1)})
    assert (tower.layer.weight == 7).all()


@pytest.mark.parametrize('prefix', ['backbone', 'backbone.'])
def test_weights_below_a_prefix_are_found(tmp_path, prefix):
    state = {f'backbone.{key}': value for key, value in WEIGHTS.items()}
    assert (fill(tmp_path, dict(state_dict=state), prefix=prefix).layer.weight == 7).all()


def test_file_that_fits_no_key_is_refused_with_the_prefix_that_fits(tmp_path):
    state = {f'module.backbone.{key}': value for key, value in WEIGHTS.items()}
    with pytest.raises(ValueError, match=r"6 of its 7 .*; set prefix='module.backbone'$"):
        fill(tmp_path, state)
    with pytest.raises(ValueError, match=r"below 'encoder\.'.*; set prefix='module.backbone'$"):
        fill(tmp_path, state, prefix='encoder')


def test_file_that_lacks_a_weight_or_has_another_shape_is_refused(tmp_path):
    part = {key: value for key, value in WEIGHTS.items() if key != 'layer.bias'}
    with pytest.raises(ValueError, match=r'does not fit Tower: 1 of its 7 .*: layer\.bias; the'):
        fill(tmp_path, part)
    with pytest.raises(ValueError, match=r'does not fit Tower: size mismatch for layer\.bias'):
        fill(tmp_path, WEIGHTS | {'layer.bias': torch.ones(4)})


def test_missing_file_is_one_sentence(tmp_path):
    tower = Tower(dict(type='Pretrained', checkpoint=str(tmp_path / 'gone.pth')))
    with (
        DefaultScope.overwrite_default_scope('csipreid'),
        pytest.raises(FileNotFoundError, match=r'gone\.pth'),
    ):
        tower.init_weights()


def test_backbone_of_mmpretrain_is_not_left_random(tmp_path):
    torch.save({'other.weight': torch.ones(1)}, tmp_path / 'weights.pth')
    init = dict(type='Pretrained', checkpoint=str(tmp_path / 'weights.pth'))
    with DefaultScope.overwrite_default_scope('csipreid'):
        encoder = MODELS.build(
            dict(
                type='MMPretrainImageEncoder',
                backbone=dict(type='ResNet', depth=18, init_cfg=init),
                embed_dim=8,
            )
        )
        with pytest.raises(ValueError, match=r'does not fit ResNet: .* are not in the file'):
            encoder.init_weights()
