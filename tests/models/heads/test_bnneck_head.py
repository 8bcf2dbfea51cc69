import pytest
import torch

from csipreid.registry import MODELS


def build(**kwargs):
    return MODELS.build(dict(type='BNNeckHead', in_dim=4, num_ids=6, **kwargs))


def test_scores_the_normalized_features():
    features = torch.randn(8, 4) * 3 + 5
    head = build()
    normed = (features - features.mean(dim=0)) / (features.var(dim=0, correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(head(features), normed @ head.classifier.weight.T)


def test_frames_share_the_classifier_behind_a_neck_of_their_own():
    features = torch.randn(8, 3, 4)
    head = build(frame_neck=True)
    flat = features.flatten(0, 1)
    normed = (flat - flat.mean(dim=0)) / (flat.var(dim=0, correction=0) + 1e-5).sqrt()
    scores = head.score_frames(features)
    assert scores.shape == (8, 3, 6)
    torch.testing.assert_close(scores[5, 1], normed[5 * 3 + 1] @ head.classifier.weight.T)
    assert head.neck.running_mean.eq(0).all()


def test_bias_of_the_neck_is_not_trained():
    trained = {name for name, p in build(frame_neck=True).named_parameters() if p.requires_grad}
    assert trained == {'neck.weight', 'frame_neck.weight', 'classifier.weight'}


def test_gradient_reaches_every_trained_parameter():
    head = build(frame_neck=True)
    (
        head(torch.randn(8, 4)).square().sum()
        + head.score_frames(torch.randn(8, 3, 4)).square().sum()
    ).backward()
    assert all(p.grad.any() for p in head.parameters() if p.requires_grad)


def test_frames_need_their_neck():
    with pytest.raises(ValueError, match='frame_neck=True'):
        build().score_frames(torch.zeros(2, 3, 4))
