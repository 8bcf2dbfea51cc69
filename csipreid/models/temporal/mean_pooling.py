"""Temporal modeling left out: the mean of each frame's tokens."""

from torch import Tensor, nn

from csipreid.registry import MODELS


@MODELS.register_module()
class MeanPooling(nn.Module):
    """Average the image tokens of each frame.

    The interface of a temporal module: built with the widths of the tokens,
    it turns the tokens of a clip into one feature per frame, (B, T, ``feat_dim``).

    Args:
        feat_dim: Width W of the image tokens and of the result.
        skeleton_dim: Unused; part of the interface.
    """

    def __init__(self, feat_dim: int, skeleton_dim: int | None = None) -> None:
        super().__init__()
        self.feat_dim = feat_dim

    def forward(
        self,
        image_tokens: Tensor,
        skeleton_tokens: Tensor | None = None,
        skeleton_valid: Tensor | None = None,
    ) -> Tensor:
        """Average tokens.

        Args:
            image_tokens: Float, (B, T, L, W).
            skeleton_tokens: Unused; part of the interface.
            skeleton_valid: Unused; part of the interface.

        Returns:
            Frame features, float, (B, T, W).
        """
        return image_tokens.mean(dim=2)
