import torch

from csipreid.registry import MODELS


def test_frame_feature_is_the_mean_of_its_tokens():
    pooling = MODELS.build(dict(type='MeanPooling', feat_dim=4))
    tokens = torch.randn(2, 3, 5, 4)
    frames = pooling(tokens)
    assert frames.shape == (2, 3, pooling.feat_dim)
    torch.testing.assert_close(frames[1, 2], tokens[1, 2].mean(dim=0))


def test_skeletons_do_not_matter():
    pooling = MODELS.build(dict(type='MeanPooling', feat_dim=4, skeleton_dim=6))
    tokens = torch.randn(2, 3, 5, 4)
    valid = torch.ones(2, 3, dtype=torch.bool)
    assert torch.equal(pooling(tokens, torch.randn(2, 3, 17, 6), valid), pooling(tokens))
