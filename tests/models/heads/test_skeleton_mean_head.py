import pytest
import torch

from csipreid.registry import MODELS


def test_mean_is_over_joints_and_frames_with_a_skeleton():
    head = MODELS.build(dict(type='SkeletonMeanHead', in_dim=2, embed_dim=2))
    tokens = torch.arange(24.0).view(2, 3, 2, 2)
    valid = torch.tensor([[True, False, True], [False, False, False]])
    pooled = head.pool(head(tokens), valid)
    # Rows 0 and 2 of the first clip: (0 + 2 + 8 + 10) / 4 and one more in the other channel.
    assert pooled.tolist() == [[5, 6], [0, 0]]


def test_widths_must_agree():
    with pytest.raises(ValueError, match='keeps the width 2'):
        MODELS.build(dict(type='SkeletonMeanHead', in_dim=2, embed_dim=3))
