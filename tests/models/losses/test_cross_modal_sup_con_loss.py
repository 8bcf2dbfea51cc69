import math

import pytest
import torch

from csipreid.registry import MODELS


def build(**kwargs):
    return MODELS.build(dict(type='CrossModalSupConLoss', **kwargs))


def slow_reference(skeletons, images, pids, temperature):
    """Equation written out in loops, one direction."""
    total = 0.0
    for i in range(len(pids)):
        weights = [math.exp(float(skeletons[i] @ image) / temperature) for image in images]
        positives = [j for j in range(len(pids)) if pids[j] == pids[i]]
        total -= sum(math.log(weights[j] / sum(weights)) for j in positives) / len(positives)
    return total / len(pids)


def test_identical_embeddings_cost_log_batch_size():
    ones = torch.ones(6, 4)
    loss = build()(ones, ones, torch.arange(6))
    assert loss.item() == pytest.approx(math.log(6), abs=1e-5)


def test_orthogonal_identities_have_closed_form():
    eye = torch.eye(3)
    loss = build(temperature=0.5)(eye, eye, torch.arange(3))
    assert loss.item() == pytest.approx(math.log(1 + 2 * math.exp(-2)), abs=1e-5)


@pytest.mark.parametrize('temperature', [0.07, 1.0])
def test_matches_slow_reference(temperature):
    skeletons, images = torch.randn(2, 8, 16) / 4
    pids = torch.tensor([0, 0, 0, 1, 1, 2, 2, 3])
    loss = build(temperature=temperature, normalize=False)(skeletons, images, pids)
    expected = (
        slow_reference(skeletons, images, pids, temperature)
        + slow_reference(images, skeletons, pids, temperature)
    ) / 2
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_invalid_clips_are_left_out():
    skeletons, images = torch.randn(2, 6, 8)
    pids = torch.tensor([0, 0, 1, 1, 2, 2])
    valid = torch.tensor([True, False, True, True, False, False])
    loss = build()(skeletons, images, pids, valid)
    torch.testing.assert_close(loss, build()(skeletons[valid], images[valid], pids[valid]))


def test_batch_without_valid_clip_costs_nothing_but_has_a_gradient():
    skeletons, images = (torch.randn(4, 8, requires_grad=True) for _ in range(2))
    loss = build()(skeletons, images, torch.arange(4), torch.zeros(4, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert skeletons.grad.eq(0).all()


def test_gradient_reaches_both_modalities():
    skeletons, images = (torch.randn(4, 8, requires_grad=True) for _ in range(2))
    build()(skeletons, images, torch.tensor([0, 0, 1, 1])).backward()
    assert skeletons.grad.abs().sum() > 0
    assert images.grad.abs().sum() > 0


def test_weight_multiplies():
    args = torch.randn(4, 8), torch.randn(4, 8), torch.tensor([0, 0, 1, 1])
    torch.testing.assert_close(build(loss_weight=2.0)(*args), 2 * build()(*args))


def test_shape_mismatch_names_both_shapes():
    with pytest.raises(ValueError, match=r'\(4, 8\) and \(4, 6\)'):
        build()(torch.zeros(4, 8), torch.zeros(4, 6), torch.arange(4))


def test_rejects_non_positive_temperature():
    with pytest.raises(ValueError, match='temperature must be positive, got 0'):
        build(temperature=0)
