from types import SimpleNamespace

import pytest
import torch

from csipreid.registry import HOOKS


class Runner(SimpleNamespace):
    def __init__(self):
        super().__init__(epoch=4, warnings=[], will_train=True, bare_model=SimpleNamespace())
        self.logger = SimpleNamespace(warning=self.warnings.append)


def run_epoch(cosines, **kwargs):
    hook, runner = HOOKS.build(dict(type='CollapseHook', **kwargs)), Runner()
    hook.before_train_epoch(runner)
    for index, cosine in enumerate(cosines):
        runner.bare_model.skeleton_cosine = torch.tensor(cosine)
        hook.after_train_iter(runner, index)
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
        runner.bare_model.skeleton_cosine = torch.tensor(cosine)
        hook.after_train_iter(runner, 0)
        hook.after_train_epoch(runner)
    assert len(runner.warnings) == 1


def test_a_model_without_the_cosine_is_refused_before_training():
    with pytest.raises(TypeError, match="watches 'skeleton_cosine', which SimpleNamespace does"):
        HOOKS.build(dict(type='CollapseHook')).check(Runner())


@pytest.mark.parametrize('threshold', [0, 1])
def test_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(ValueError, match='threshold must be in'):
        HOOKS.build(dict(type='CollapseHook', threshold=threshold))
