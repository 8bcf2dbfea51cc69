import torch

from csipreid.registry import MODELS


def build():
    return MODELS.build(dict(type='SkeletonProjectionHead', in_dim=5, embed_dim=4))


def test_projects_every_joint_without_bias():
    head, joints = build(), torch.randn(2, 3, 17, 5)
    tokens = head(joints)
    torch.testing.assert_close(tokens[1, 2, 7], head.projection.weight @ joints[1, 2, 7])
    assert head(torch.zeros(1, 1, 1, 5)).eq(0).all()


def test_pools_the_frames_that_have_a_skeleton():
    tokens = torch.randn(2, 3, 17, 4)
    valid = torch.tensor([[True, False, True], [False, False, False]])
    pooled = build().pool(tokens, valid)
    torch.testing.assert_close(pooled[0], tokens[0, [0, 2]].mean(dim=(0, 1)))
    assert pooled[1].eq(0).all()


def test_frame_without_skeleton_may_hold_anything():
    tokens = torch.randn(1, 2, 17, 4)
    tokens[0, 1] = torch.nan
    assert build().pool(tokens, torch.tensor([[True, False]])).isfinite().all()
