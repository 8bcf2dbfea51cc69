import pytest
import torch

from csipreid.registry import MODELS


def build(**kwargs):
    settings = dict(
        type='SkeletonPromptHead', in_dim=8, num_joints=5, clip_len=4, hidden_joints=2,
        hidden_frames=1,
    )  # fmt: skip
    torch.manual_seed(0)
    return MODELS.build(dict(settings, **kwargs))


def silent(head):
    """Predict zeros, so that the loss is the mean absolute coordinate."""
    for part in (head.structure, head.trajectory):
        part[2].weight.data.zero_()
    return head


def test_loss_is_the_mean_error_over_the_batch():
    skeletons = torch.full((3, 4, 5, 3), -2.0)
    valid = torch.ones(3, 4, dtype=torch.bool)
    loss = silent(build(loss_weight=1.0))(torch.randn(3, 4, 5, 8), skeletons, valid)
    assert loss.item() == pytest.approx(2 / 3)


@pytest.mark.parametrize('weight', [0.0, 1.0])
def test_targets_keep_their_axes(weight):
    # Coordinates differ by joint and frame; biases that say them make the loss zero.
    skeletons = torch.arange(60.0).view(1, 4, 5, 3)
    if weight:  # the same in all frames: what a structure predictor can say by its bias
        skeletons = skeletons[:, :1].expand(1, 4, 5, 3)
    else:  # the same for all joints
        skeletons = skeletons[:, :, :1].expand(1, 4, 5, 3)
    head = silent(build(structure_weight=weight, loss_weight=1.0))
    head.structure[2].bias.data = skeletons[0, 0].flatten()
    head.trajectory[2].bias.data = skeletons[0, :, 0].flatten()
    valid = torch.ones(1, 4, dtype=torch.bool)
    assert head(torch.randn(1, 4, 5, 8), skeletons, valid).item() == pytest.approx(0, abs=1e-5)


def test_hidden_joints_and_frames_give_no_gradient():
    tokens = torch.randn(2, 4, 5, 8, requires_grad=True)
    valid = torch.ones(2, 4, dtype=torch.bool)
    build(structure_weight=1.0)(tokens, torch.randn(2, 4, 5, 3), valid).backward()
    assert (tokens.grad.abs().sum(dim=(0, 1, 3)) == 0).sum() == 2  # joints
    tokens.grad = None
    build(structure_weight=0.0)(tokens, torch.randn(2, 4, 5, 3), valid).backward()
    assert (tokens.grad.abs().sum(dim=(0, 2, 3)) == 0).sum() == 1  # frames


def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match=r'hidden_joints must be in \[1, 4\], got 5'):
        build(hidden_joints=5)
    with pytest.raises(ValueError, match='4 frames of 5 joints'):
        build()(torch.zeros(1, 3, 5, 8), torch.zeros(1, 3, 5, 3), torch.ones(1, 3).bool())
