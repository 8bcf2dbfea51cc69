from types import SimpleNamespace

import pytest
import torch
from torch import nn

from csipreid.registry import HOOKS


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.tower = nn.Linear(2, 3)
        self.head = nn.Linear(3, 1)


class Logger:
    def info(self, line):
        self.line = line


def runner(tmp_path, **changes):
    state = dict(
        bare_model=Model(), will_train=True, _load_from=None, _resume=False, _has_loaded=False,
        work_dir=str(tmp_path), logger=Logger(),
    )  # fmt: skip
    return SimpleNamespace(**(state | changes))


def hook(checkpoint, parts=('tower',)):
    return HOOKS.build(
        dict(
            type='LoadPretrainedHook',
            checkpoint=None if checkpoint is None else str(checkpoint),
            parts=parts,
            hint='train it first',
        )
    )


@pytest.fixture
def file(tmp_path):
    """A checkpoint of another model that holds the tower."""
    path = tmp_path / 'first.pth'
    state = {'tower.weight': torch.full((3, 2), 7.0), 'tower.bias': torch.zeros(3)}
    torch.save({'state_dict': state | {'loss.scale': torch.ones(1)}}, path)
    return path


def test_part_is_filled_before_training(tmp_path, file):
    fake = runner(tmp_path)
    before = fake.bare_model.head.weight.clone()
    hook(file).before_train(fake)
    assert (fake.bare_model.tower.weight == 7).all()
    assert torch.equal(fake.bare_model.head.weight, before)


def test_missing_keys_are_named_while_the_runner_is_built(tmp_path, file):
    with pytest.raises(ValueError, match=r'head of checkpoint .*does not fit.*missing.*'):
        hook(file, ['head']).check(runner(tmp_path))


def test_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'gone\.pth not found: train it first'):
        hook(tmp_path / 'gone.pth').check(runner(tmp_path))


def test_no_file_named_says_what_to_do(tmp_path):
    with pytest.raises(ValueError, match='weights for tower are needed: train it first'):
        hook(None).check(runner(tmp_path))


@pytest.mark.parametrize('changes', [dict(will_train=False), dict(_load_from='whole.pth')])
def test_file_is_not_needed_to_test_or_with_a_whole_model(tmp_path, changes):
    hook(tmp_path / 'gone.pth').check(runner(tmp_path, **changes))


def test_resumed_weights_are_not_overwritten(tmp_path, file):
    fake = runner(tmp_path, _has_loaded=True)
    hook(file).before_train(fake)
    assert not (fake.bare_model.tower.weight == 7).any()
