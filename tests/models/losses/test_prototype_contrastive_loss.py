import math

import pytest
import torch

from csipreid.registry import MODELS


def build(**kwargs):
    return MODELS.build(dict(type='PrototypeContrastiveLoss', **kwargs))


def test_orthogonal_prototypes_have_closed_form():
    prototypes = torch.eye(3).expand(3, 3, 3)
    loss = build(temperature=0.5, label_smoothing=0.0)(torch.eye(3), prototypes, torch.arange(3))
    assert loss.item() == pytest.approx(math.log(1 + 2 * math.exp(-2)), abs=1e-6)


def test_each_clip_is_compared_with_its_own_prototypes():
    embeddings, prototypes = torch.randn(2, 4), torch.randn(2, 5, 4)
    logits = build(normalize=False, temperature=2.0).logits(embeddings, prototypes)
    assert logits.shape == (2, 5)
    expected = embeddings[1] @ prototypes[1, 3] / 2
    assert logits[1, 3].item() == pytest.approx(expected.item(), rel=1e-5)


def test_length_does_not_matter_when_normalized():
    embeddings, prototypes = torch.randn(2, 4), torch.randn(2, 5, 4)
    labels, loss = torch.tensor([0, 4]), build()
    torch.testing.assert_close(
        loss(3 * embeddings, 7 * prototypes, labels), loss(embeddings, prototypes, labels)
    )


def test_gradient_reaches_both_sides():
    embeddings = torch.randn(2, 4, requires_grad=True)
    prototypes = torch.randn(2, 5, 4, requires_grad=True)
    build()(embeddings, prototypes, torch.tensor([0, 4])).backward()
    assert embeddings.grad.any()
    assert prototypes.grad.any()


def test_weight_multiplies():
    args = torch.randn(2, 4), torch.randn(2, 5, 4), torch.tensor([0, 4])
    torch.testing.assert_close(build(loss_weight=3.0)(*args), 3 * build()(*args))


def test_rejects_non_positive_temperature():
    with pytest.raises(ValueError, match='temperature must be positive, got 0'):
        build(temperature=0)
