"""Pooling of joint features without a projection."""

from torch import Tensor, nn

from csipreid.models.heads.skeleton_projection_head import mean_over_body
from csipreid.registry import MODELS


@MODELS.register_module()
class SkeletonMeanHead(nn.Module):
    """Take joint features as they are, and their mean as the embedding, as TranSG does.

    Args:
        in_dim: Width of the joint features.
        embed_dim: Width of the embedding; must be the same.

    Raises:
        ValueError: If the widths differ.
    """

    def __init__(self, in_dim: int, embed_dim: int) -> None:
        super().__init__()
        if in_dim != embed_dim:
            raise ValueError(
                f'SkeletonMeanHead keeps the width {in_dim} of the encoder, got embed_dim '
                f'{embed_dim}; take SkeletonProjectionHead to change it'
            )

    def forward(self, joints: Tensor) -> Tensor:
        """Return joint features (B, T, V, D) as they are."""
        return joints

    def pool(self, tokens: Tensor, valid: Tensor) -> Tensor:
        """Average tokens (B, T, V, D) over joints and valid (B, T) frames, (B, D)."""
        return mean_over_body(tokens, valid)
