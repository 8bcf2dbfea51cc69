"""From joint features to the space shared with images."""

from torch import Tensor, nn

from csipreid.registry import MODELS


@MODELS.register_module()
class SkeletonProjectionHead(nn.Module):
    """Linear projection of joint features without bias, and their pooling.

    Args:
        in_dim: Width of the joint features.
        embed_dim: Width P of the shared space.
    """

    def __init__(self, in_dim: int, embed_dim: int) -> None:
        super().__init__()
        self.projection = nn.Linear(in_dim, embed_dim, bias=False)
        nn.init.normal_(self.projection.weight, std=in_dim**-0.5)

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
        frames = tokens.mean(dim=2).masked_fill(~valid[..., None], 0)  # (B, T, P)
        return frames.sum(dim=1) / valid.sum(dim=1, keepdim=True).clamp(min=1)
