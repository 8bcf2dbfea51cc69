from types import SimpleNamespace

import pytest
import torch

from csipreid.registry import HOOKS


class Runner(SimpleNamespace):
    def __init__(self):
        super().__init__(epoch=4, warnings=[])
        self.logger = SimpleNamespace(warning=self.warnings.append)


def run_epoch(cosines, **kwargs):
    hook, runner = HOOKS.build(dict(type='CollapseHook', **kwargs)), Runner()
    hook.before_train_epoch(runner)
    for index, cosine in enumerate(cosines):
        hook.after_train_iter(runner, index, {}, dict(skeleton_cosine=torch.tensor(cosine)))
    hook.after_train_epoch(runner)
    return runner.warnings


def test_equal_embeddings_are_named_with_epoch_and_cosine():
    (warning,) = run_epoch([0.98, 1.0])
    assert 'epoch 5 is 0.990' in warning
    assert 'batch_norm=True' in warning


def test_embeddings_that_differ_are_not_mentioned():
    assert run_epoch([0.99, 0.5]) == []


def test_an_epoch_is_judged_by_itself():
    hook, runner = HOOKS.build(dict(type='CollapseHook')), Runner()
    for cosine in (1.0, 0.1):
        hook.before_train_epoch(runner)
        hook.after_train_iter(runner, 0, {}, dict(skeleton_cosine=torch.tensor(cosine)))
        hook.after_train_epoch(runner)
    assert len(runner.warnings) == 1


def test_a_model_that_does_not_report_is_an_error():
    hook = HOOKS.build(dict(type='CollapseHook'))
    hook.before_train_epoch(Runner())
    with pytest.raises(ValueError, match=r"watches 'skeleton_cosine'.*reports \['loss'\]"):
        hook.after_train_iter(Runner(), 0, {}, dict(loss=torch.tensor(1.0)))


@pytest.mark.parametrize('threshold', [0, 1])
def test_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(ValueError, match='threshold must be in'):
        HOOKS.build(dict(type='CollapseHook', threshold=threshold))
