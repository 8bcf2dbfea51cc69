import math

import pytest
import torch
from torch.nn import functional as F

from csipreid.registry import MODELS


def build(**kwargs):
    return MODELS.build(dict(type='SupConLoss', **kwargs))


def slow_reference(embeddings, labels, temperature):
    """Equation 2 of Khosla et al. written out in loops; the anchor is no contrast of its own."""
    unit = F.normalize(embeddings, dim=1)
    terms = []
    for i in range(len(labels)):
        others = [j for j in range(len(labels)) if j != i]
        weights = {j: math.exp(float(unit[i] @ unit[j]) / temperature) for j in others}
        positives = [j for j in others if labels[j] == labels[i]]
        if positives:
            total = sum(weights.values())
            terms.append(-sum(math.log(weights[j] / total) for j in positives) / len(positives))
    return sum(terms) / len(terms)


def test_equal_embeddings_cost_the_logarithm_of_the_contrasts():
    loss = build()(torch.ones(6, 4), torch.tensor([0, 0, 1, 1, 2, 2]))
    assert loss.item() == pytest.approx(math.log(5), abs=1e-5)


def test_separated_identities_cost_nothing():
    # Compared with itself, each anchor would have a second contrast of cosine 1: log 2.
    embeddings = torch.eye(3).repeat_interleave(2, dim=0)
    loss = build()(embeddings, torch.tensor([0, 0, 1, 1, 2, 2]))
    assert loss.item() == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize('temperature', [0.07, 1.0])
def test_matches_slow_reference(temperature):
    embeddings, labels = torch.randn(8, 16), torch.tensor([0, 0, 0, 1, 1, 2, 2, 3])
    loss = build(temperature=temperature, loss_weight=2.0)(embeddings, labels)
    expected = 2 * slow_reference(embeddings, labels, temperature)
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_invalid_clips_are_left_out():
    embeddings, labels = torch.randn(7, 8), torch.tensor([0, 0, 0, 1, 1, 2, 2])
    valid = torch.tensor([True, False, True, True, True, False, True])
    loss = build()(embeddings, labels, valid)
    torch.testing.assert_close(loss, build()(embeddings[valid], labels[valid]))


@pytest.mark.parametrize('labels', [[0, 1, 2], [0, 0, 0]])
def test_batch_without_a_pair_costs_nothing_but_has_a_gradient(labels):
    embeddings = torch.randn(3, 4, requires_grad=True)
    valid = torch.tensor([True, False, False])
    loss = build()(embeddings, torch.tensor(labels), valid)
    loss.backward()
    assert loss.item() == 0
    assert embeddings.grad.eq(0).all()


def test_rejects_non_positive_temperature():
    with pytest.raises(ValueError, match='temperature must be positive, got 0'):
        build(temperature=0)
