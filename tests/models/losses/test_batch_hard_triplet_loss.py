import pytest
import torch

from csipreid.registry import MODELS


def build(**kwargs):
    return MODELS.build(dict(type='BatchHardTripletLoss', **kwargs))


def slow_reference(features, labels, margin):
    total = 0.0
    for i in range(len(labels)):
        distances = [(features[i] - other).norm().item() for other in features]
        positive = max(d for d, label in zip(distances, labels, strict=True) if label == labels[i])
        negative = min(d for d, label in zip(distances, labels, strict=True) if label != labels[i])
        total += max(0.0, positive - negative + margin)
    return total / len(labels)


def test_points_on_a_line_have_closed_form():
    features = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    # Anchors 0, 1, 3, 7: positives 1, 1, 4, 4; negatives 3, 2, 2, 6.
    loss = build(margin=0.5)(features, torch.tensor([0, 0, 1, 1]))
    assert loss.item() == pytest.approx((0 + 0 + 2.5 + 0) / 4)


@pytest.mark.parametrize('labels', [[0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 2, 2]])
def test_matches_slow_reference(labels):
    features = torch.randn(6, 5)
    loss = build(margin=0.3)(features, torch.tensor(labels))
    assert loss.item() == pytest.approx(slow_reference(features, labels, 0.3), rel=1e-4)


def test_batch_of_one_identity_costs_nothing():
    features = torch.randn(4, 5, requires_grad=True)
    loss = build()(features, torch.zeros(4, dtype=torch.int64))
    loss.backward()
    assert loss.item() == 0
    assert features.grad.eq(0).all()


def test_distances_are_float32_under_autocast():
    features, labels = 20 + torch.randn(6, 64) / 50, torch.tensor([0, 0, 1, 1, 2, 2])
    expected = build()(features, labels)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = build()(features, labels)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected)


def test_equal_features_have_finite_gradients():
    features = torch.ones(4, 3, requires_grad=True)
    build()(features, torch.tensor([0, 0, 1, 1])).backward()
    assert features.grad.isfinite().all()


def test_weight_multiplies():
    args = torch.randn(4, 3), torch.tensor([0, 0, 1, 1])
    torch.testing.assert_close(build(loss_weight=2.0)(*args), 2 * build()(*args))
