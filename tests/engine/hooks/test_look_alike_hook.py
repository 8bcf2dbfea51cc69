from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from csipreid.engine.hooks.look_alike_hook import most_similar_rows
from csipreid.registry import HOOKS

# Rows 0 and 2 point the same way, as do 1 and 3; their lengths tell nothing.
ROWS = torch.tensor([[1.0, 0.1, 0.0], [0.0, 1.0, 0.2], [9.0, 0.0, 0.0], [0.0, 0.5, 0.0]])


class Sampler:
    def set_look_alikes(self, table):
        self.table = table


class Runner(SimpleNamespace):
    def __init__(self, rows=ROWS, batches_done=0, sampler=None):
        model = nn.Module()
        model.projected_head = nn.Module()
        model.projected_head.classifier = nn.Linear(3, len(rows), bias=False)
        model.projected_head.classifier.weight.data.copy_(rows)
        super().__init__(
            model=model,
            bare_model=model,
            will_train=True,
            train_loop=SimpleNamespace(batches_done=batches_done),
            train_dataloader=SimpleNamespace(sampler=sampler or Sampler()),
        )


def build(**kwargs):
    return HOOKS.build(dict(type='LookAlikeHook', **kwargs))


def test_rows_of_the_classifier_that_point_the_same_way_look_alike():
    runner = Runner()
    build(num_look_alikes=1).before_train_epoch(runner)
    assert runner.train_dataloader.sampler.table.tolist() == [[2], [3], [0], [1]]


def test_the_most_similar_come_first_and_never_oneself(monkeypatch):
    rows = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    unit = rows.numpy() / np.linalg.norm(rows.numpy(), axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -2)
    monkeypatch.setattr('csipreid.engine.hooks.look_alike_hook._BLOCK', 7)
    assert np.array_equal(most_similar_rows(rows, 4), np.argsort(-cosines)[:, :4])


def test_there_are_no_more_look_alikes_than_others():
    assert most_similar_rows(ROWS, 9).shape == (4, 3)


def test_an_epoch_that_goes_on_keeps_the_look_alikes_of_its_beginning():
    hook, checkpoint = build(num_look_alikes=1), {}
    hook.before_train_epoch(Runner())
    hook.before_save_checkpoint(Runner(), checkpoint)
    changed, resumed = Runner(ROWS.flip(1)[[0, 2, 1, 3]], batches_done=3), build(num_look_alikes=1)
    resumed.after_load_checkpoint(changed, checkpoint)
    resumed.before_train_epoch(changed)
    assert changed.train_dataloader.sampler.table.tolist() == [[2], [3], [0], [1]]
    changed.train_loop.batches_done = 0
    resumed.before_train_epoch(changed)
    assert changed.train_dataloader.sampler.table.tolist() != [[2], [3], [0], [1]]


def test_midst_of_an_epoch_without_look_alikes_is_refused():
    with pytest.raises(ValueError, match='resume one of the end of an epoch'):
        build().before_train_epoch(Runner(batches_done=1))


@pytest.mark.parametrize(
    'table',
    [
        'import os',
        [[1], [0]],
        torch.tensor([[1.0], [0.0]]),
        torch.tensor([1, 0]),
        torch.tensor([[2], [0]]),
        torch.tensor([[-1], [0]]),
        torch.zeros(0, 1, dtype=torch.int64),
    ],
)
def test_look_alikes_of_a_checkpoint_that_are_none_are_refused(table):
    with pytest.raises(ValueError, match="'look_alikes' of the checkpoint must be"):
        build().after_load_checkpoint(Runner(), dict(look_alikes=table))


def test_model_and_sampler_that_do_not_fit_are_refused_before_training():
    build().check(Runner())
    with pytest.raises(TypeError, match=r"'head\.weight', which Module does not have"):
        build(parameter='head.weight').check(Runner())
    with pytest.raises(TypeError, match='needs a sampler of identities'):
        build().check(Runner(sampler=object()))
    with pytest.raises(ValueError, match='must be positive'):
        build(num_look_alikes=0)
