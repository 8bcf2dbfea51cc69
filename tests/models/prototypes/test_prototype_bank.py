import pytest
import torch

from csipreid.registry import MODELS


def build():
    return MODELS.build(dict(type='PrototypeBank', num_ids=3, embed_dim=2))


def test_new_bank_is_not_filled():
    assert not build().is_filled


def test_filling_keeps_both_sets():
    bank = build()
    image, skeleton = torch.randn(2, 3, 2)
    bank.fill(image, skeleton)
    assert bank.is_filled
    assert torch.equal(bank.image_prototypes, image)
    assert torch.equal(bank.skeleton_prototypes, skeleton)


@pytest.mark.parametrize('filled', [True, False])
def test_checkpoint_knows_whether_it_is_filled(filled):
    bank, other = build(), build()
    if filled:
        bank.fill(torch.ones(3, 2), torch.ones(3, 2))
    other.load_state_dict(bank.state_dict())
    assert other.is_filled == filled
    assert torch.equal(other.image_prototypes, bank.image_prototypes)


def test_checkpoint_without_prototypes_leaves_the_bank_as_it_is():
    bank = build()
    bank.fill(torch.ones(3, 2), torch.ones(3, 2))
    bank.load_state_dict({}, strict=False)
    assert bank.is_filled


def test_prototypes_are_not_trained():
    assert list(build().parameters()) == []


def test_wrong_shape_is_named():
    with pytest.raises(
        ValueError, match=r'skeleton_prototypes must have shape \(3, 2\), got \(2, 2\)'
    ):
        build().fill(torch.ones(3, 2), torch.ones(2, 2))


def test_rejects_values_that_are_not_finite():
    with pytest.raises(ValueError, match='image_prototypes hold'):
        build().fill(torch.full((3, 2), torch.nan), torch.ones(3, 2))
