import pytest
import torch

from csipreid.models.skeleton_scale import without_scale
from csipreid.registry import MODELS
from csipreid.skeletons import get_layout


def build(**kwargs):
    return MODELS.build(dict(type='JointLoss', **kwargs))


def truth():
    """Skeletons anywhere, of any size, and what should be predicted of them."""
    skeletons = torch.randn(2, 3, 17, 3)
    centred = skeletons - skeletons[:, :, :1]
    return skeletons, without_scale(centred, get_layout('h36m'))


def test_place_and_size_do_not_count():
    skeletons, predicted = truth()
    valid = torch.ones(2, 3, dtype=torch.bool)
    assert build()(predicted, 1.7 * skeletons + 4, valid).item() == pytest.approx(0, abs=1e-5)


def test_error_of_one_joint_in_one_frame():
    skeletons, predicted = truth()
    predicted[1, 2, 5, 0] += 0.6
    loss = build(loss_weight=2.0)(predicted, skeletons, torch.ones(2, 3, dtype=torch.bool))
    # 2 clips of 3 frames, 17 joints, 3 coordinates.
    assert loss.item() == pytest.approx(2 * 0.6 / (2 * 3 * 17 * 3), rel=1e-3)


def test_frames_without_skeleton_do_not_count():
    skeletons, predicted = truth()
    predicted[0, 1] += 5
    predicted[1, 2, 5, 0] += 0.6
    valid = torch.ones(2, 3, dtype=torch.bool)
    valid[0, 1] = False
    loss = build()(predicted, skeletons, valid)
    assert loss.item() == pytest.approx(0.6 / (5 * 17 * 3), rel=1e-3)


def test_nothing_valid_costs_nothing_but_has_a_gradient():
    skeletons, predicted = truth()
    predicted.requires_grad_(True)
    loss = build()(predicted, skeletons, torch.zeros(2, 3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert predicted.grad.eq(0).all()


def test_shape_mismatch_names_both_shapes():
    with pytest.raises(ValueError, match=r'\(2, 3, 17, 3\) and \(2, 4, 17, 3\)'):
        build()(torch.zeros(2, 3, 17, 3), torch.zeros(2, 4, 17, 3), torch.ones(2, 4).bool())
