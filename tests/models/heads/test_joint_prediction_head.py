import pytest
import torch

from csipreid.registry import MODELS


def build(**kwargs):
    config = dict(type='JointPredictionHead', map_channels=(4, 6), hidden_channels=5)
    return MODELS.build(config | kwargs)


def maps(num_frames=3):
    return torch.randn(num_frames, 4, 8, 4), torch.randn(num_frames, 6, 4, 2)


def pointing(head, joint, row, column, size=(8, 4)):
    """Let all joints be seen in the middle, and one in a certain cell."""
    heat = torch.zeros(1, 17, *size)
    heat[0, joint, row, column] = 60
    head.heat.forward = lambda features: heat
    return head


def test_skeletons_are_root_relative():
    skeletons = build().eval()(maps())
    assert skeletons.shape == (3, 17, 3)
    assert skeletons[:, 0].eq(0).all()


def test_a_joint_is_where_its_heat_is():
    head = pointing(build().eval(), joint=3, row=6, column=0)
    joints = head(tuple(part[:1] for part in maps()))[0]
    # The box is 3.3 wide and 7 high; the root is seen in its middle.
    assert joints[3, 0].item() == pytest.approx(3.3 * (0.5 / 4 - 0.5), rel=1e-4)
    assert joints[3, 1].item() == pytest.approx(7.0 * (6.5 / 8 - 0.5), rel=1e-4)
    assert joints[4, :2].abs().max().item() < 1e-5


def test_permuting_frames_permutes_skeletons():
    head, order, parts = build().eval(), torch.tensor([2, 0, 1]), maps()
    permuted = head(tuple(part[order] for part in parts))
    torch.testing.assert_close(permuted, head(parts)[order])


def test_gradient_reaches_every_parameter():
    head = build().train()
    head(maps()).square().sum().backward()
    assert [n for n, p in head.named_parameters() if p.grad is None] == []


def test_encoder_without_maps_is_refused():
    with pytest.raises(ValueError, match='no feature maps'):
        build(map_channels=())
