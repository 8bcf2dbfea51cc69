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


def test_batch_norm_spreads_what_is_nearly_equal():
    head = MODELS.build(
        dict(type='SkeletonProjectionHead', in_dim=6, embed_dim=4, batch_norm=True)
    ).train()
    tokens = 5 + 0.01 * torch.randn(16, 2, 17, 4)
    embeddings = head.pool(tokens, torch.ones(16, 2, dtype=torch.bool))
    torch.testing.assert_close(embeddings.mean(dim=0), torch.zeros(4), atol=1e-4, rtol=0)
    # The embeddings themselves spread by 0.01 / sqrt(2 x 17).
    assert embeddings.std(dim=0).min() > 0.4


def test_batch_norm_ignores_clips_without_skeleton():
    head = MODELS.build(
        dict(type='SkeletonProjectionHead', in_dim=6, embed_dim=4, batch_norm=True)
    ).train()
    tokens = torch.randn(8, 2, 17, 4)
    valid = torch.ones(8, 2, dtype=torch.bool)
    valid[3] = False
    embeddings = head.pool(tokens, valid)
    assert embeddings[3].eq(0).all()
    rest = [0, 1, 2, 4, 5, 6, 7]
    torch.testing.assert_close(embeddings[rest].mean(dim=0), torch.zeros(4), atol=1e-5, rtol=0)
