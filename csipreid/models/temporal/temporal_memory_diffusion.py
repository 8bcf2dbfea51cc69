"""Temporal memory diffusion: messages between frames, then attention within each frame."""

import torch
from torch import Tensor, nn

from csipreid.models.feed_forward import FeedForward
from csipreid.models.temporal.skeleton_guided_temporal_modeling import attend
from csipreid.registry import MODELS


@MODELS.register_module()
class TemporalMemoryDiffusion(nn.Module):
    """Let the frames of a clip tell one another what they hold.

    Each frame writes the mean of its tokens into a message; the messages attend to
    one another over time; then the tokens of each frame and its message pass one
    transformer layer, and their mean is the frame's feature. The same in training
    and in testing.

    The image tokens are detached: this module does not train the image encoder.

    Source:
        Yu et al., "TF-CLIP: Learning Text-free CLIP for Video-based Person
        Re-identification", AAAI 2024.

    Args:
        feat_dim: Width W of the image tokens and of the result.
        skeleton_dim: Unused; part of the interface.
        num_heads: Attention heads; must divide ``feat_dim``.
        feedforward_channels: Width of the feed-forward; None is four times ``feat_dim``.
    """

    def __init__(
        self,
        feat_dim: int,
        skeleton_dim: int | None = None,
        num_heads: int = 12,
        feedforward_channels: int | None = None,
    ) -> None:
        super().__init__()
        hidden = 4 * feat_dim if feedforward_channels is None else feedforward_channels
        self.feat_dim = feat_dim
        self.image_message = nn.Linear(feat_dim, feat_dim)
        self.image_message_norm = nn.LayerNorm(feat_dim)
        self.image_message_attn = nn.MultiheadAttention(feat_dim, num_heads, batch_first=True)
        self.norm1 = nn.LayerNorm(feat_dim)
        self.attn = nn.MultiheadAttention(feat_dim, num_heads, batch_first=True)
        self.norm2 = nn.LayerNorm(feat_dim)
        self.ffn = FeedForward(feat_dim, hidden, 'quick_gelu')

    def forward(
        self,
        image_tokens: Tensor,
        skeleton_tokens: Tensor | None = None,
        skeleton_valid: Tensor | None = None,
    ) -> Tensor:
        """Turn the tokens of B clips into frame features.

        Args:
            image_tokens: Float, (B, T, L, W).
            skeleton_tokens: Unused; part of the interface.
            skeleton_valid: Unused; part of the interface.

        Returns:
            Frame features, float, (B, T, W).
        """
        return self.diffuse(image_tokens).mean(dim=2)

    def diffuse(self, image_tokens: Tensor) -> Tensor:
        """Turn tokens (B, T, L, W) into those that hold the message, which is last.

        Returns:
            Float, (B, T, L + 1, W).
        """
        image_tokens = image_tokens.detach()
        messages = self.image_message(image_tokens.mean(dim=2))  # (B, T, W)
        messages = messages + attend(self.image_message_attn, self.image_message_norm(messages))
        tokens = torch.cat([image_tokens, messages[:, :, None]], dim=2)
        flat = tokens.flatten(0, 1)  # (B * T, L + 1, W)
        flat = flat + attend(self.attn, self.norm1(flat))
        flat = flat + self.ffn(self.norm2(flat))
        return flat.unflatten(0, tokens.shape[:2])
