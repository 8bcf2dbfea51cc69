"""Adapt prototypes to a clip, after fusing those of two modalities or not."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from csipreid.models.dropout import Dropout
from csipreid.models.feed_forward import FeedForward
from csipreid.registry import MODELS


@MODELS.register_module()
class SequenceSpecificPrompt(nn.Module):
    """Transformer decoder that adapts the image prototypes to each clip.

    The prototypes attend to one another and to the tokens of a clip; what comes out
    is added to them.

    Source:
        Yu et al., "TF-CLIP: Learning Text-free CLIP for Video-based Person
        Re-identification", AAAI 2024, sequence-specific prompt.

    Args:
        embed_dim: Width P of the prototypes.
        num_layers: Decoder layers.
        num_heads: Attention heads; must divide ``embed_dim``.
        feedforward_channels: Width of the feed-forward layers; None is four
            times ``embed_dim``.
        dropout: Probability of a zero behind attention and in the feed-forward.

    Attributes:
        modalities: Whose prototypes it takes.
    """

    modalities: tuple[str, ...] = ('image',)

    def __init__(
        self,
        embed_dim: int,
        num_layers: int = 2,
        num_heads: int = 8,
        feedforward_channels: int | None = None,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        hidden = 4 * embed_dim if feedforward_channels is None else feedforward_channels
        self.memory_proj = nn.Sequential(
            nn.LayerNorm(embed_dim), nn.Linear(embed_dim, embed_dim), nn.LayerNorm(embed_dim)
        )
        self.prototype_proj = nn.Sequential(
            nn.LayerNorm(embed_dim), nn.Linear(embed_dim, embed_dim)
        )
        self.layers = nn.ModuleList(
            PrototypeDecoderLayer(embed_dim, num_heads, hidden, dropout) for _ in range(num_layers)
        )
        self.out_proj = nn.Sequential(nn.LayerNorm(embed_dim), nn.Linear(embed_dim, embed_dim))
        self.apply(_init_linear)

    def forward(
        self, image_prototypes: Tensor, memory: Tensor, memory_valid: Tensor | None = None
    ) -> Tensor:
        """Adapt the prototypes to each clip.

        Args:
            image_prototypes: Float, (K, P).
            memory: Tokens of the clips, float, (B, M, P).
            memory_valid: Which tokens may be looked at, bool, (B, M); at least
                one per clip. None allows all.

        Returns:
            Prototypes as seen by each clip, float, (B, K, P).
        """
        return self.adapt(image_prototypes, memory, memory_valid)

    def adapt(self, prototypes: Tensor, memory: Tensor, memory_valid: Tensor | None) -> Tensor:
        """Adapt one set of prototypes (K, P) to each clip, (B, K, P); see :meth:`forward`."""
        memory = self.memory_proj(memory)
        mask = None if memory_valid is None else memory_valid[:, None, None]  # (B, 1, 1, M)
        # One sequence for all clips as long as they are equal: until the first
        # cross-attention.
        updated = self.prototype_proj(prototypes)[None]  # (1, K, P)
        for layer in self.layers:
            updated = layer(updated, memory, mask)  # (B, K, P)
        return prototypes + self.out_proj(updated)


@MODELS.register_module()
class PrototypeFusionUpdater(SequenceSpecificPrompt):
    """Gated fusion of two prototype sets, then a transformer decoder per clip.

    A gate in (0, 1) per identity mixes the skeleton and the image prototype; the
    mixed ones are adapted as by :class:`SequenceSpecificPrompt`.

    Source:
        CSIP-ReID (arXiv:2511.13150), prototype fusion updater.

    Args:
        embed_dim: Width P of the prototypes.
        num_layers: Decoder layers.
        num_heads: Attention heads; must divide ``embed_dim``.
        feedforward_channels: Width of the feed-forward layers; None is four
            times ``embed_dim``.
        dropout: Probability of a zero behind attention and in the feed-forward.

    Attributes:
        modalities: Whose prototypes it takes.
    """

    modalities = ('image', 'skeleton')

    def __init__(
        self,
        embed_dim: int,
        num_layers: int = 2,
        num_heads: int = 8,
        feedforward_channels: int | None = None,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(embed_dim, num_layers, num_heads, feedforward_channels, dropout)
        # Behind the line above: the published gate keeps torch's own initialisation.
        self.gate = nn.Sequential(
            nn.Linear(2 * embed_dim, embed_dim), nn.ReLU(), nn.Linear(embed_dim, 1)
        )

    def fuse(self, image_prototypes: Tensor, skeleton_prototypes: Tensor) -> Tensor:
        """Mix the prototypes (K, P) of both modalities by a gate per identity, (K, P)."""
        pair = torch.cat([skeleton_prototypes, image_prototypes], dim=1)  # (K, 2 P)
        gate = self.gate(pair).sigmoid()  # (K, 1)
        return gate * skeleton_prototypes + (1 - gate) * image_prototypes

    def forward(  # type: ignore[override]
        self,
        image_prototypes: Tensor,
        skeleton_prototypes: Tensor,
        memory: Tensor,
        memory_valid: Tensor | None = None,
    ) -> Tensor:
        """Adapt the prototypes to each clip.

        Args:
            image_prototypes: Float, (K, P).
            skeleton_prototypes: Float, (K, P).
            memory: Tokens of the clips, float, (B, M, P).
            memory_valid: Which tokens may be looked at, bool, (B, M); at least
                one per clip. None allows all.

        Returns:
            Prototypes as seen by each clip, float, (B, K, P).
        """
        prototypes = self.fuse(image_prototypes, skeleton_prototypes)  # (K, P)
        return self.adapt(prototypes, memory, memory_valid)


class PrototypeDecoderLayer(nn.Module):
    """Pre-norm decoder layer: self-attention, cross-attention, feed-forward.

    Args:
        embed_dim: Width P.
        num_heads: Attention heads; must divide ``embed_dim``.
        feedforward_channels: Width of the hidden layer.
        dropout: Probability of a zero.
    """

    def __init__(
        self, embed_dim: int, num_heads: int, feedforward_channels: int, dropout: float
    ) -> None:
        super().__init__()
        self.self_attn = PrototypeAttention(embed_dim, num_heads)
        self.cross_attn = PrototypeAttention(embed_dim, num_heads)
        self.norm1 = nn.LayerNorm(embed_dim)
        self.norm2 = nn.LayerNorm(embed_dim)
        self.norm3 = nn.LayerNorm(embed_dim)
        self.ffn = FeedForward(embed_dim, feedforward_channels, 'quick_gelu', dropout)
        self.dropout = Dropout(dropout)

    def forward(self, prototypes: Tensor, memory: Tensor, mask: Tensor | None) -> Tensor:
        """Transform the prototypes of B clips.

        Args:
            prototypes: Float, (B, K, P), or (1, K, P) when all clips share them:
                then self-attention runs once, and dropout still draws per clip.
            memory: Float, (B, M, P).
            mask: Memory tokens that may be looked at, bool, (B, 1, 1, M).

        Returns:
            Float, (B, K, P).
        """
        normed = self.norm1(prototypes)
        attended = self.self_attn(normed, normed).expand(len(memory), -1, -1)
        prototypes = self.dropout.add(prototypes.expand_as(attended), attended)  # (B, K, P)
        attended = self.cross_attn(self.norm2(prototypes), memory, mask)
        prototypes = self.dropout.add(prototypes, attended)
        return self.dropout.add(prototypes, self.ffn(self.norm3(prototypes)))


class PrototypeAttention(nn.Module):
    """Attention whose query, key and value projections have no bias.

    Args:
        embed_dim: Width P.
        num_heads: Attention heads; must divide ``embed_dim``.

    Raises:
        ValueError: If the heads do not divide the width.
    """

    def __init__(self, embed_dim: int, num_heads: int) -> None:
        super().__init__()
        if embed_dim % num_heads:
            raise ValueError(f'num_heads must divide embed_dim, got {num_heads} and {embed_dim}')
        self.num_heads = num_heads
        self.q_proj = nn.Linear(embed_dim, embed_dim, bias=False)
        self.k_proj = nn.Linear(embed_dim, embed_dim, bias=False)
        self.v_proj = nn.Linear(embed_dim, embed_dim, bias=False)
        self.proj = nn.Linear(embed_dim, embed_dim)

    def forward(self, query: Tensor, memory: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend from query (B, K, P) to memory (B, M, P); result (B, K, P)."""
        q, k, v = (
            part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)  # (B, heads, ·, d)
            for part in (self.q_proj(query), self.k_proj(memory), self.v_proj(memory))
        )
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.proj(attended.transpose(1, 2).flatten(2))


def _init_linear(module: nn.Module) -> None:
    """Initialise linear layers as the published updater does."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
