"""Distance between joints seen in frames and true ones."""

import torch
from torch import Tensor, nn

from csipreid.models.skeleton_scale import without_scale
from csipreid.registry import MODELS
from csipreid.skeletons import get_layout

_MOST_STRETCHED = 2.0  # factor between a box and one that fits an average person


@MODELS.register_module()
class JointLoss(nn.Module):
    """Mean absolute error of joints, but for what a cropped and resized image cannot show.

    The true skeletons are divided by their mean bone length. Width and height of a box
    that was resized to a fixed shape are unknown, so x and y of the seen skeleton are
    moved and scaled first, each by the factor in [1/2, 2] that fits best.

    Args:
        layout: Name of the joint layout.
        loss_weight: Factor of the result.
    """

    def __init__(self, layout: str = 'h36m', loss_weight: float = 1.0) -> None:
        super().__init__()
        self.layout = get_layout(layout)
        self.loss_weight = loss_weight

    def forward(self, seen: Tensor, skeletons: Tensor, valid: Tensor) -> Tensor:
        """Compute the loss of one batch.

        Args:
            seen: Joints as seen, float, (B, T, V, 3).
            skeletons: True joints, camera axes, any unit and origin, float,
                (B, T, V, 3).
            valid: Whether a frame has a skeleton, bool, (B, T).

        Returns:
            Mean over the valid frames, their joints and coordinates, in mean bone
            lengths, shape (); zero, with a gradient, when none is valid.

        Raises:
            ValueError: If the shapes differ.
        """
        if seen.shape != skeletons.shape:
            raise ValueError(
                'seen and true skeletons must have the same shape, got '
                f'{tuple(seen.shape)} and {tuple(skeletons.shape)}'
            )
        seen = seen.float() - seen.float().mean(dim=2, keepdim=True)
        true = without_scale(skeletons.float(), self.layout)
        true = true - true.mean(dim=2, keepdim=True)
        overlap, square = (seen * true).sum(dim=2), seen.square().sum(dim=2)  # (B, T, 3)
        factor = (overlap / square.clamp(min=1e-6)).clamp(1 / _MOST_STRETCHED, _MOST_STRETCHED)
        factor = torch.cat([factor[..., :2], torch.ones_like(factor[..., 2:])], dim=-1)
        error = (factor[:, :, None] * seen - true).abs().mean(dim=(2, 3))  # (B, T)
        total = error.masked_fill(~valid, 0).sum() / valid.sum().clamp(min=1)
        return self.loss_weight * total
