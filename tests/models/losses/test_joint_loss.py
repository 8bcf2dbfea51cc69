import pytest
import torch

from csipreid.models.skeleton_scale import mean_bone_length
from csipreid.registry import MODELS
from csipreid.skeletons import get_layout

ALL = torch.ones(2, 3, dtype=torch.bool)


def loss(seen, skeletons, valid=ALL, **kwargs):
    return MODELS.build(dict(type='JointLoss', **kwargs))(seen, skeletons, valid)


def truth():
    """Skeletons of mean bone length 1."""
    skeletons = torch.randn(2, 3, 17, 3, generator=torch.Generator().manual_seed(0))
    return skeletons / mean_bone_length(skeletons, get_layout('h36m'))[..., None, None]


def test_place_and_size_of_the_true_skeleton_do_not_count():
    true = truth()
    assert loss(true, 1.7 * true + 4).item() == pytest.approx(0, abs=1e-5)


def test_width_and_height_of_the_box_do_not_count_but_depth_does():
    true = truth()
    box = torch.tensor([0.6, 1.8, 1.0])
    assert loss(true * box, true).item() == pytest.approx(0, abs=1e-5)
    deeper = true * torch.tensor([1.0, 1.0, 1.5])
    depth = true[..., 2] - true[..., 2].mean(dim=2, keepdim=True)
    assert loss(deeper, true).item() == pytest.approx((depth / 2).abs().mean().item() / 3, rel=1e-3)


def test_a_box_is_not_stretched_without_limit():
    true = truth()
    # Stretched twice, a tenth of x is a fifth of it.
    x = true[..., 0] - true[..., 0].mean(dim=2, keepdim=True)
    seen = true * torch.tensor([0.1, 1.0, 1.0])
    assert loss(seen, true).item() == pytest.approx(0.8 * x.abs().mean().item() / 3, rel=1e-3)


def test_left_and_right_are_not_the_same():
    layout, true = get_layout('h36m'), truth()
    assert loss(true[:, :, list(layout.flip_order)], true) > 0.1


def test_depth_error_of_one_joint_in_one_frame():
    true = truth()
    seen = true.clone()
    seen[1, 2, 5, 2] += 0.6
    # About the mean of the joints: one is off by 16 / 17, the others by 1 / 17 of it.
    expected = 0.6 * (16 / 17 + 16 / 17) / (2 * 3 * 17 * 3)
    assert loss(seen, true, loss_weight=2.0).item() == pytest.approx(2 * expected, rel=1e-3)


def test_frames_without_skeleton_do_not_count():
    true = truth()
    seen, valid = true.clone(), ALL.clone()
    seen[0, 1] = 5 * torch.randn(17, 3)
    valid[0, 1] = False
    assert loss(seen, true, valid).item() == pytest.approx(0, abs=1e-5)


def test_nothing_valid_costs_nothing_but_has_a_gradient():
    seen = truth().requires_grad_(True)
    total = loss(seen, torch.zeros(2, 3, 17, 3), ~ALL)
    total.backward()
    assert total.item() == 0
    assert seen.grad.eq(0).all()


def test_shape_mismatch_names_both_shapes():
    with pytest.raises(ValueError, match=r'\(2, 3, 17, 3\) and \(2, 4, 17, 3\)'):
        loss(torch.zeros(2, 3, 17, 3), torch.zeros(2, 4, 17, 3), torch.ones(2, 4).bool())
