"""Randomness that an interruption does not change."""

import random

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from csipreid.registry import HOOKS


@HOOKS.register_module()
class RandomnessHook(Hook):
    """Make every random draw of training a function of seed, position and rank.

    Before each iteration the generators of Python, NumPy and torch are seeded
    from (seed, iteration, rank); before each epoch the training set is told
    the epoch, from which it seeds the draws of every item. A resumed run thus
    draws what the uninterrupted one would have drawn, and no generator state
    has to be stored.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Tell the training set the epoch, if it wants to know."""
        dataset = runner.train_dataloader.dataset
        if hasattr(dataset, 'set_epoch'):
            dataset.set_epoch(runner.epoch, runner.seed)

    def before_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
    ) -> None:
        """Seed the generators of this process."""
        seed_generators(runner.seed, runner.iter, runner.rank)


def seed_generators(*entropy: int) -> None:
    """Seed the generators of Python, NumPy and torch from numbers that are not negative."""
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
