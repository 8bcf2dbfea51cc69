"""Triplet loss on the hardest pairs of a batch."""

import torch
from torch import Tensor, nn

from csipreid.registry import MODELS


@MODELS.register_module()
class BatchHardTripletLoss(nn.Module):
    """Each anchor with its farthest positive and its nearest negative.

    Distances are Euclidean, in float32 whatever the precision of the features:
    they come from differences of squares, which half precision cannot hold. An
    anchor without a negative in the batch costs nothing.

    Source:
        Hermans et al., "In Defense of the Triplet Loss for Person
        Re-Identification", arXiv:1703.07737, Eq. 5.

    Args:
        margin: By how much negatives must be farther than positives, in the
            unit of the features.
        loss_weight: Factor of the result.
    """

    def __init__(self, margin: float = 0.3, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.margin = margin
        self.loss_weight = loss_weight

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss of one batch.

        Args:
            features: Clip features, not normalised, float, (B, C).
            labels: Training labels, int64, (B,).

        Returns:
            Mean over anchors, shape ().
        """
        with torch.autocast(features.device.type, enabled=False):
            distances = _pairwise_distances(features.float())  # (B, B)
        same = labels[:, None] == labels[None, :]  # (B, B)
        positive = distances.masked_fill(~same, 0).amax(dim=1)
        negative = distances.masked_fill(same, torch.inf).amin(dim=1)
        return self.loss_weight * (positive - negative + self.margin).relu().mean()


def _pairwise_distances(features: Tensor) -> Tensor:
    """Return Euclidean distances (B, B), bounded away from zero for the root's gradient."""
    squares = features.square().sum(dim=1)  # (B,)
    squared = squares[:, None] + squares[None, :] - 2 * features @ features.T
    return squared.clamp(min=1e-12).sqrt()
