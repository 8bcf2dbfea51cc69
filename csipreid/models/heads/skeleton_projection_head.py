"""From joint features to the space shared with images."""

import torch
from torch import Tensor, nn

from csipreid.registry import MODELS


@MODELS.register_module()
class SkeletonProjectionHead(nn.Module):
    """Linear projection of joint features without bias, and their pooling.

    Bodies differ little from one another, so the embeddings of a fresh encoder are
    nearly equal, and contrast at a low temperature may keep them so for ever. With
    ``batch_norm`` each coordinate of a clip's embedding has zero mean and unit
    variance over the batch: what differs is all there is.

    Args:
        in_dim: Width of the joint features.
        embed_dim: Width P of the shared space.
        batch_norm: Whether to normalise the pooled embeddings, without trained scale
            or bias. The published method does not.
    """

    def __init__(self, in_dim: int, embed_dim: int, batch_norm: bool = False) -> None:
        super().__init__()
        self.projection = nn.Linear(in_dim, embed_dim, bias=False)
        nn.init.normal_(self.projection.weight, std=in_dim**-0.5)
        self.norm = nn.BatchNorm1d(embed_dim, affine=False) if batch_norm else None

    def forward(self, joints: Tensor) -> Tensor:
        """Project joint features (B, T, V, D) to skeleton tokens (B, T, V, P)."""
        return self.projection(joints)

    def pool(self, tokens: Tensor, valid: Tensor) -> Tensor:
        """Average the tokens over joints, then over the frames that have a skeleton.

        Args:
            tokens: Skeleton tokens, float, (B, T, V, P).
            valid: Whether a frame has a skeleton, bool, (B, T).

        Returns:
            One embedding per clip, float, (B, P); zero for a clip without
            any skeleton.
        """
        clips = mean_over_body(tokens, valid)
        if self.norm is None:
            return clips
        found = valid.any(dim=1)[:, None]  # (B, 1)
        # The mean stands in for a clip without skeleton, so that the others are normalised alike.
        mean = clips.sum(dim=0) / found.sum().clamp(min=1)
        normed = self.norm(torch.where(found, clips, mean))
        return normed.masked_fill(~found, 0)


def mean_over_body(tokens: Tensor, valid: Tensor) -> Tensor:
    """Average tokens (B, T, V, P) over joints, then over the valid (B, T) frames, (B, P)."""
    frames = tokens.mean(dim=2).masked_fill(~valid[..., None], 0)  # (B, T, P)
    return frames.sum(dim=1) / valid.sum(dim=1, keepdim=True).clamp(min=1)
