import math

import pytest
import torch

from csipreid.registry import MODELS


def build(**kwargs):
    torch.manual_seed(0)
    return MODELS.build(dict(dict(type='GraphPrototypeLoss', embed_dim=5), **kwargs))


def slow_reference(loss, frames, clips, prototypes, labels, valid):
    """Both formulas in loops."""
    sequence = frame_part = 0.0
    f1, f2 = loss.frame_map, loss.prototype_map
    for b, label in enumerate(labels.tolist()):
        cosines = [
            float(clips[b] @ c / clips[b].norm() / c.norm()) / loss.sequence_temperature
            for c in prototypes
        ]
        sequence -= cosines[label] - math.log(sum(map(math.exp, cosines)))
        for t in range(frames.shape[1]):
            if valid[b, t]:
                logits = [
                    float((frames[b, t] @ f1) @ (c @ f2)) / loss.frame_temperature
                    for c in prototypes
                ]
                frame_part -= logits[label] - math.log(sum(map(math.exp, logits)))
    share = loss.sequence_weight
    return loss.loss_weight * (share * sequence + (1 - share) * frame_part) / len(labels)


def test_matches_loops():
    loss = build(sequence_temperature=0.5, sequence_weight=0.3, loss_weight=2.0)
    frames, clips, prototypes = torch.randn(4, 3, 5), torch.randn(4, 5), torch.randn(6, 5)
    labels = torch.tensor([0, 5, 2, 2])
    valid = torch.ones(4, 3, dtype=torch.bool)
    valid[1, 0] = False
    expected = slow_reference(loss, frames, clips, prototypes, labels, valid)
    assert loss(frames, clips, prototypes, labels, valid).item() == pytest.approx(
        expected, rel=1e-4
    )


def test_clip_without_skeleton_changes_nothing():
    loss = build()
    frames, clips, prototypes = torch.randn(2, 3, 5), torch.randn(2, 5), torch.randn(4, 5)
    labels, valid = torch.tensor([0, 3]), torch.ones(2, 3, dtype=torch.bool)
    alone = loss(frames[:1], clips[:1], prototypes, labels[:1], valid[:1])
    valid[1] = False
    torch.testing.assert_close(loss(frames, clips, prototypes, labels, valid), alone)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match='temperatures must be positive'):
        build(frame_temperature=0)
    with pytest.raises(ValueError, match=r'in \[0, 1\], got 2'):
        build(sequence_weight=2)
