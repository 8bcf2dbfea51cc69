from types import SimpleNamespace

import pytest
import torch

from csipreid.registry import HOOKS
from csipreid.structures import ReIDDataSample


class Logger:
    def __init__(self):
        self.lines = []

    def info(self, line):
        self.lines.append(line)


def batch(*valid):
    samples = [ReIDDataSample(skeleton_valid=torch.tensor(v)) for v in valid]
    return dict(data_samples=samples)


@pytest.fixture
def run():
    """Play epochs of one batch each and return what was logged."""

    def play(*batches, first_epoch=0):
        runner = SimpleNamespace(epoch=first_epoch, logger=Logger())
        hook = HOOKS.build(dict(type='SkeletonCoverageHook'))
        hook.before_train(runner)
        for data in batches:
            hook.after_train_iter(runner, 0, data, {})
            hook.after_train_epoch(runner)
            runner.epoch += 1
        return runner.logger.lines

    return play


def test_frames_without_a_skeleton_are_counted_once(run):
    lines = run(batch([True, False], [False, True]), batch([False, False]))
    assert lines == ['skeletons: 2 of the 4 frames seen in epoch 1 had none (50.0%)']


def test_resumed_run_reports_its_own_first_epoch(run):
    assert 'epoch 8' in run(batch([True]), first_epoch=7)[0]


def test_pipeline_without_skeletons_is_not_reported(run):
    assert run(dict(data_samples=[ReIDDataSample(pid=1)])) == []
