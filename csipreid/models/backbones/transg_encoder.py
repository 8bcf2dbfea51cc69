"""Skeleton encoder of TranSG."""

import torch
from torch import Tensor, nn

from csipreid.registry import MODELS
from csipreid.skeletons import get_layout, laplacian_encoding


@MODELS.register_module()
class TranSGEncoder(nn.Module):
    """Encode each frame's joints as TranSG does.

    Unlike :class:`SkeletonGraphTransformer` the attention layers follow one another without
    residual, norm or projection; one residual and one batch norm close them, and one
    feed-forward network with residual and batch norm follows::

        h = embed(x) + encode(e)        a = attend(… attend(h))
        b = BN(h + W dropout(a))        output = BN(b + FFN(b))

    Source:
        Rao and Miao, "TranSG", CVPR 2023, and its published code: query, key and value without
        bias and with standard normal initial values, logits clamped to [-5, 5].

    Differs from the published code, whose batch norms keep the statistics 0 and 1 for
    evaluation because their updates are never run: here they are updated.

    Args:
        layout: Name of the joint layout.
        embed_dim: Width D.
        depth: Attention layers.
        num_heads: Attention heads; must divide ``embed_dim``.
        dropout: Probability of a zero, in two places.
        num_eigenvectors: Columns of the positional encoding.
        random_signs: Whether each training forward draws a sign for every column of the
            encoding.

    Attributes:
        embed_dim: Width D of the joint features.

    Raises:
        ValueError: If the heads do not divide the width.
    """

    encoding: Tensor

    def __init__(
        self,
        layout: str,
        embed_dim: int = 128,
        depth: int = 2,
        num_heads: int = 8,
        dropout: float = 0.5,
        num_eigenvectors: int = 10,
        random_signs: bool = True,
    ) -> None:
        super().__init__()
        if embed_dim % num_heads:
            raise ValueError(f'num_heads must divide embed_dim, got {num_heads} and {embed_dim}')
        self.layout = get_layout(layout)
        self.embed_dim = embed_dim
        self.num_heads = num_heads
        self.random_signs = random_signs
        table = laplacian_encoding(self.layout, num_eigenvectors)
        self.register_buffer('encoding', torch.as_tensor(table, dtype=torch.float32))
        self.joint_embed = nn.Sequential(
            nn.Linear(3, embed_dim), nn.ReLU(), nn.Linear(embed_dim, embed_dim)
        )
        self.encoding_embed = nn.Linear(num_eigenvectors, embed_dim)
        layers = [nn.Linear(embed_dim, 3 * embed_dim, bias=False) for _ in range(depth)]
        self.layers = nn.ModuleList(layers)
        self.proj = nn.Linear(embed_dim, embed_dim)
        self.ffn = nn.Sequential(
            nn.Linear(embed_dim, 2 * embed_dim),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(2 * embed_dim, embed_dim),
        )
        self.dropout = nn.Dropout(dropout)
        self.norm1 = nn.BatchNorm1d(embed_dim, eps=1e-3, momentum=0.01)
        self.norm2 = nn.BatchNorm1d(embed_dim, eps=1e-3, momentum=0.01)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for layer in self.layers:
            nn.init.normal_(layer.get_parameter('weight'))

    def forward(self, skeletons: Tensor) -> Tensor:
        """Encode B clips of T skeletons.

        Args:
            skeletons: Joint positions relative to the root, metres, float, (B, T, V, 3).

        Returns:
            Joint features, float, (B, T, V, D).

        Raises:
            ValueError: If the joints do not fit the layout.
        """
        joints = self.layout.num_joints
        if skeletons.ndim != 4 or tuple(skeletons.shape[2:]) != (joints, 3):
            raise ValueError(
                f'skeletons must have shape (B, T, {joints}, 3) for layout '
                f'{self.layout.name!r}, got {tuple(skeletons.shape)}'
            )
        encoding = self.encoding  # (V, k)
        if self.random_signs and self.training:
            draws = torch.rand(encoding.shape[1], device=encoding.device)
            encoding = encoding * (draws >= 0.5).to(encoding.dtype).mul(2).sub(1)
        embedded = self.joint_embed(skeletons) + self.encoding_embed(encoding)  # (B, T, V, D)
        attended = embedded
        for layer in self.layers:
            attended = self._attend(layer, attended)
        hidden = self._normed(self.norm1, embedded + self.proj(self.dropout(attended)))
        return self._normed(self.norm2, hidden + self.ffn(hidden))

    def _attend(self, layer: nn.Module, joints: Tensor) -> Tensor:
        """Let the joints of each skeleton attend to one another, (B, T, V, D)."""
        query, key, value = (
            part.unflatten(-1, (self.num_heads, -1)).transpose(-3, -2)  # (B, T, heads, V, d)
            for part in layer(joints).chunk(3, dim=-1)
        )
        logits = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
        attended = logits.clamp(-5, 5).softmax(dim=-1) @ value
        return attended.transpose(-3, -2).flatten(-2)

    @staticmethod
    def _normed(norm: nn.Module, joints: Tensor) -> Tensor:
        """Normalise each channel over all joints of the batch."""
        return norm(joints.flatten(0, 2)).view_as(joints)
