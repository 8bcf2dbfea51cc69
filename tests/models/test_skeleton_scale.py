import torch

from csipreid.models.skeleton_scale import mean_bone_length, without_scale
from csipreid.skeletons import get_layout

LAYOUT = get_layout('h36m')


def chain():
    """A skeleton whose bones all have length 2."""
    joints = torch.zeros(17, 3)
    for number, (parent, child) in enumerate(LAYOUT.bones):
        direction = torch.eye(3)[number % 3]
        joints[child] = joints[parent] + 2 * direction
    return joints


def test_mean_bone_length_of_equal_bones_is_their_length():
    skeletons = torch.stack([chain(), 3 * chain()])[None]  # (1, 2, 17, 3)
    torch.testing.assert_close(mean_bone_length(skeletons, LAYOUT), torch.tensor([[2.0, 6.0]]))


def test_scale_is_gone():
    skeletons = torch.randn(2, 4, 17, 3)
    sizes = torch.rand(2, 4, 1, 1) + 0.5
    torch.testing.assert_close(
        without_scale(skeletons * sizes, LAYOUT), without_scale(skeletons, LAYOUT)
    )


def test_frame_without_skeleton_stays_zero():
    assert without_scale(torch.zeros(1, 1, 17, 3), LAYOUT).eq(0).all()
