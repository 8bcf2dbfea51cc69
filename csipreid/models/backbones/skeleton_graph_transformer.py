"""Transformer over the joints of a skeleton."""

from typing import Literal

import torch
from torch import Tensor, nn

from csipreid.models.backbones.published_encoding import PUBLISHED_H36M_ENCODING
from csipreid.models.dropout import Dropout
from csipreid.models.feed_forward import FeedForward
from csipreid.models.skeleton_scale import without_scale
from csipreid.registry import MODELS
from csipreid.skeletons import Layout, get_layout, laplacian_encoding


@MODELS.register_module()
class SkeletonGraphTransformer(nn.Module):
    """Encode each frame's joints by attention among them.

    The joints of one frame form a sequence; frames do not see one another.
    The graph of the body enters by a positional encoding only, which is
    computed once and kept in the checkpoint.

    Source:
        Rao and Miao, "TranSG: Transformer-Based Skeleton Graph Prototype
        Contrastive Learning", CVPR 2023, with the post-norm layers of
        CSIP-ReID (arXiv:2511.13150).

    Args:
        layout: Name of the joint layout.
        in_channels: Coordinates of a joint.
        embed_dim: Width D of the joint features.
        depth: Number of layers.
        num_heads: Attention heads; must divide ``embed_dim``.
        feedforward_channels: Width of the feed-forward layers.
        dropout: Probability of a zero after attention and in the feed-forward.
        num_eigenvectors: Columns of the positional encoding.
        encoding: 'laplacian' solves for symmetric matrices with a fixed rule
            for multiple eigenvalues; 'published' takes the table of the
            published code (layout 'h36m', 10 eigenvectors), two columns of
            which are equal.
        random_signs: Whether each training forward draws a sign for every
            column of the encoding, as the published code does.
        bones: Whether each joint is given the vector from its parent beside its
            position (Shi et al., "Two-Stream Adaptive Graph Convolutional Networks
            for Skeleton-Based Action Recognition", CVPR 2019).
        scale_free: Whether each skeleton is divided by its mean bone length first.
            What is left, proportions and posture, is what a cropped image shows too;
            the absolute size is not.

    Attributes:
        embed_dim: Width D of the joint features.
    """

    encoding: Tensor

    def __init__(
        self,
        layout: str = 'h36m',
        in_channels: int = 3,
        embed_dim: int = 512,
        depth: int = 10,
        num_heads: int = 8,
        feedforward_channels: int = 1024,
        dropout: float = 0.3,
        num_eigenvectors: int = 10,
        encoding: Literal['laplacian', 'published'] = 'laplacian',
        random_signs: bool = False,
        bones: bool = False,
        scale_free: bool = False,
    ) -> None:
        super().__init__()
        self.layout = get_layout(layout)
        self.in_channels = in_channels
        self.embed_dim = embed_dim
        self.random_signs = random_signs
        self.bones = bones
        self.scale_free = scale_free
        self.register_buffer('encoding', _encoding(self.layout, num_eigenvectors, encoding))
        self.joint_embed = nn.Sequential(
            nn.Linear((1 + bones) * in_channels, embed_dim),
            nn.ReLU(),
            nn.Linear(embed_dim, embed_dim),
        )
        self.encoding_embed = nn.Linear(num_eigenvectors, embed_dim)
        self.layers = nn.ModuleList(
            JointAttentionLayer(embed_dim, num_heads, feedforward_channels, dropout)
            for _ in range(depth)
        )

    def forward(self, skeletons: Tensor) -> Tensor:
        """Encode B clips of T skeletons.

        Args:
            skeletons: Joint positions relative to the root, metres, float,
                (B, T, V, C).

        Returns:
            Joint features, float, (B, T, V, D).

        Raises:
            ValueError: If the joints or coordinates do not fit the layout.
        """
        expected = (self.layout.num_joints, self.in_channels)
        if skeletons.ndim != 4 or tuple(skeletons.shape[2:]) != expected:
            raise ValueError(
                f'skeletons must have shape (B, T, {expected[0]}, {expected[1]}) for layout '
                f'{self.layout.name!r}, got {tuple(skeletons.shape)}'
            )
        encoding = self.encoding  # (V, k)
        if self.random_signs and self.training:
            draws = torch.rand(encoding.shape[1], device=encoding.device)
            encoding = encoding * (draws >= 0.5).to(encoding.dtype).mul(2).sub(1)
        joints = self.joint_embed(self._prepare(skeletons).flatten(0, 1))  # (B * T, V, D)
        joints = joints + self.encoding_embed(encoding)
        for layer in self.layers:
            joints = layer(joints)
        return joints.unflatten(0, skeletons.shape[:2])  # (B, T, V, D)

    def _prepare(self, skeletons: Tensor) -> Tensor:
        """Scale the skeletons and add their bones, as configured, (B, T, V, C or 2 C)."""
        if self.scale_free:
            skeletons = without_scale(skeletons, self.layout)
        if self.bones:
            parents = list(self.layout.parents)
            skeletons = torch.cat([skeletons, skeletons - skeletons[..., parents, :]], dim=-1)
        return skeletons


class JointAttentionLayer(nn.Module):
    """Post-norm transformer layer whose attention logits are clamped to [-5, 5].

    The clamp is the published method's; no fused attention offers it, and with
    a score of joints it costs little.

    Args:
        embed_dim: Width D.
        num_heads: Attention heads; must divide ``embed_dim``.
        feedforward_channels: Width of the hidden layer.
        dropout: Probability of a zero, in three places.

    Raises:
        ValueError: If the heads do not divide the width.
    """

    def __init__(
        self, embed_dim: int, num_heads: int, feedforward_channels: int, dropout: float
    ) -> None:
        super().__init__()
        if embed_dim % num_heads:
            raise ValueError(f'num_heads must divide embed_dim, got {num_heads} and {embed_dim}')
        self.num_heads = num_heads
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)
        self.proj = nn.Linear(embed_dim, embed_dim)
        self.ffn = FeedForward(embed_dim, feedforward_channels, 'relu', dropout)
        self.dropout = Dropout(dropout)
        self.norm1 = nn.LayerNorm(embed_dim)
        self.norm2 = nn.LayerNorm(embed_dim)

    def forward(self, joints: Tensor) -> Tensor:
        """Transform N skeletons, float, (N, V, D)."""
        joints = self.norm1(self.dropout.add(joints, self._attend(joints)))
        return self.norm2(self.dropout.add(joints, self.ffn(joints)))

    def _attend(self, joints: Tensor) -> Tensor:
        """Let the joints of each skeleton attend to one another, (N, V, D)."""
        query, key, value = (
            part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)  # (N, heads, V, d)
            for part in self.qkv(joints).chunk(3, dim=-1)
        )
        logits = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
        attended = logits.clamp(-5, 5).softmax(dim=-1) @ value  # (N, heads, V, d)
        return self.proj(attended.transpose(1, 2).flatten(2))


def _encoding(layout: Layout, num_eigenvectors: int, kind: str) -> Tensor:
    """Return the positional encoding, float32, (V, k)."""
    if kind == 'laplacian':
        table = laplacian_encoding(layout, num_eigenvectors)
        return torch.as_tensor(table, dtype=torch.float32)
    if kind != 'published':
        raise ValueError(f"encoding must be 'laplacian' or 'published', got {kind!r}")
    if layout.name != 'h36m' or num_eigenvectors != 10:
        raise ValueError(
            "encoding='published' exists for layout 'h36m' with 10 eigenvectors, got "
            f'{layout.name!r} with {num_eigenvectors}'
        )
    return torch.tensor(PUBLISHED_H36M_ENCODING)
