from types import SimpleNamespace

import pytest
from mmengine.model import BaseModule
from torch import nn

from csipreid.registry import HOOKS


class Tower(BaseModule):
    def __init__(self, init_cfg=None):
        super().__init__(init_cfg)
        self.layer = nn.Linear(2, 2)


class Model(BaseModule):
    """A frozen tower and a head that trains."""

    def __init__(self, tower_init=None, init_cfg=None):
        super().__init__(init_cfg)
        self.tower = Tower(tower_init).requires_grad_(False)
        self.head = nn.Linear(2, 1)
        self.loss = nn.Identity()


def check(tmp_path, model, hooks=(), **changes):
    state = dict(
        bare_model=model, will_train=True, _load_from=None, _resume=False, hooks=list(hooks),
        work_dir=str(tmp_path),
    )  # fmt: skip
    HOOKS.build(dict(type='FrozenPartsHook')).check(SimpleNamespace(**(state | changes)))


def test_frozen_part_that_nothing_fills_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r'^tower of the model is frozen and nothing fills it'):
        check(tmp_path, Model())
    other = HOOKS.build(
        dict(type='LoadPretrainedHook', checkpoint='f.pth', parts=['head'], hint='train it')
    )
    with pytest.raises(ValueError, match=r'^tower of the model is frozen'):
        check(tmp_path, Model(), [other])
    with pytest.raises(ValueError, match=r'^tower of the model is frozen'):
        check(tmp_path, Model(tower_init=dict(type='Kaiming', layer='Linear')))
    with pytest.raises(ValueError, match=r'^tower of the model is frozen'):
        check(tmp_path, Model(), _resume=True)  # there is nothing to resume


def test_what_is_filled_or_trains_is_accepted(tmp_path):
    filling = HOOKS.build(
        dict(type='LoadPretrainedHook', checkpoint='f.pth', parts=['tower'], hint='train it')
    )
    file = dict(type='Pretrained', checkpoint='f.pth')
    check(tmp_path, Model(), [filling])
    check(tmp_path, Model(tower_init=file))
    check(tmp_path, Model(init_cfg=[dict(type='Kaiming', layer='Linear'), file]))
    check(tmp_path, Model().requires_grad_(True))
    check(tmp_path, Model(), _load_from='whole.pth')
    check(tmp_path, Model(), will_train=False)
    (tmp_path / 'epoch_1.pth').touch()
    check(tmp_path, Model(), _resume=True)
