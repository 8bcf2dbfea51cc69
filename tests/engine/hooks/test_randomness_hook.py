import random
from types import SimpleNamespace

import numpy as np
import torch

from csipreid.registry import HOOKS


class Dataset:
    def set_epoch(self, epoch, seed):
        self.told = (epoch, seed)


def runner(iteration=0, rank=0, seed=5, epoch=0):
    loader = SimpleNamespace(dataset=Dataset())
    return SimpleNamespace(
        seed=seed, iter=iteration, rank=rank, epoch=epoch, train_dataloader=loader
    )


def draws(**kwargs):
    HOOKS.build(dict(type='RandomnessHook')).before_train_iter(runner(**kwargs), 0)
    return random.random(), np.random.rand(), torch.rand(1).item()


def test_draws_depend_on_position_and_not_on_the_past():
    first = draws(iteration=3)
    torch.rand(100)
    assert draws(iteration=3) == first


def test_iterations_ranks_and_seeds_draw_differently():
    results = [draws(), draws(iteration=1), draws(rank=1), draws(seed=6)]
    for position in range(3):
        assert len({result[position] for result in results}) == 4


def test_dataset_is_told_epoch_and_seed():
    fake = runner(epoch=4)
    HOOKS.build(dict(type='RandomnessHook')).before_train_epoch(fake)
    assert fake.train_dataloader.dataset.told == (4, 5)


def test_dataset_that_does_not_ask_is_left_alone():
    fake = runner()
    fake.train_dataloader.dataset = []
    HOOKS.build(dict(type='RandomnessHook')).before_train_epoch(fake)
