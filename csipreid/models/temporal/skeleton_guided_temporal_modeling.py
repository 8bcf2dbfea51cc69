"""Temporal modeling of image tokens, guided by skeleton tokens in training."""

import torch
from torch import Tensor, nn

from csipreid.models.dropout import Dropout
from csipreid.models.feed_forward import FeedForward
from csipreid.registry import MODELS


@MODELS.register_module()
class SkeletonGuidedTemporalModeling(nn.Module):
    """Exchange messages between frames, then attend within each frame.

    Each frame sends one image message and, where it has a skeleton, one
    skeleton message; messages attend to each other over time, and the image
    messages look at the skeleton ones. The tokens and messages of a frame then
    pass a transformer layer and are averaged with learned weights. A frame
    without a skeleton sends no skeleton message and has no skeleton tokens; a
    clip without any is processed exactly as in testing, which has no skeletons.

    The image tokens are detached: this module does not train the image encoder.

    Source:
        CSIP-ReID (arXiv:2511.13150), skeleton-guided temporal modeling; the
        messages follow Ni et al., "Expanding Language-Image Pretrained Models
        for General Video Recognition", ECCV 2022.

    Args:
        feat_dim: Width W of the image tokens and of the result.
        skeleton_dim: Width P of the skeleton tokens; None when there are none,
            which leaves the parts for them out.
        num_heads: Attention heads; must divide ``feat_dim``.
        feedforward_channels: Width of the feed-forward; None is four times
            ``feat_dim``.
        dropout: Probability of a zero in the feed-forward.
        type_embed_std: Standard deviation of the initial token type embedding;
            the published code has 1, far above the scale of the tokens.
        scrambled_skeletons: Whether to lay out the skeleton tokens as the
            published code does in training, which reads the (B, T, V) buffer
            as (V, B, T): most of a clip's skeleton tokens then come from other
            clips of the batch.

    Attributes:
        training_only: Beginnings of the names of weights that work on skeletons.
    """

    training_only = ('skeleton_', 'cross_')

    def __init__(
        self,
        feat_dim: int,
        skeleton_dim: int | None = None,
        num_heads: int = 8,
        feedforward_channels: int | None = None,
        dropout: float = 0.1,
        type_embed_std: float = 0.02,
        scrambled_skeletons: bool = False,
    ) -> None:
        super().__init__()
        hidden = 4 * feat_dim if feedforward_channels is None else feedforward_channels
        self.feat_dim = feat_dim
        self.skeleton_dim = skeleton_dim
        self.scrambled_skeletons = scrambled_skeletons

        self.image_message = nn.Linear(feat_dim, feat_dim)
        self.image_message_norm = nn.LayerNorm(feat_dim)
        self.image_message_attn = nn.MultiheadAttention(feat_dim, num_heads, batch_first=True)
        if skeleton_dim is not None:
            self.skeleton_message = nn.Linear(skeleton_dim, feat_dim)
            self.skeleton_message_norm = nn.LayerNorm(feat_dim)
            self.skeleton_message_attn = nn.MultiheadAttention(
                feat_dim, num_heads, batch_first=True
            )
            self.cross_image_norm = nn.LayerNorm(feat_dim)
            self.cross_skeleton_norm = nn.LayerNorm(feat_dim)
            self.cross_attn = nn.MultiheadAttention(feat_dim, num_heads, batch_first=True)

        # Rows: image token, image message, skeleton token, skeleton message.
        num_types = 2 if skeleton_dim is None else 4
        self.type_embed = nn.Parameter(torch.empty(num_types, feat_dim))
        nn.init.normal_(self.type_embed, std=type_embed_std)
        self.norm1 = nn.LayerNorm(feat_dim)
        self.attn = nn.MultiheadAttention(feat_dim, num_heads, batch_first=True)
        self.norm2 = nn.LayerNorm(feat_dim)
        self.ffn = FeedForward(feat_dim, hidden, 'gelu', dropout)
        self.dropout = Dropout(dropout)
        self.score = nn.Linear(feat_dim, 1)

    def forward(
        self,
        image_tokens: Tensor,
        skeleton_tokens: Tensor | None = None,
        skeleton_valid: Tensor | None = None,
    ) -> Tensor:
        """Turn the tokens of B clips into frame features.

        Args:
            image_tokens: Float, (B, T, L, W).
            skeleton_tokens: Float, (B, T, V, P); None when there are none.
            skeleton_valid: Whether a frame has a skeleton, bool, (B, T); None
                says that all have one.

        Returns:
            Frame features, float, (B, T, W).

        Raises:
            ValueError: If there are skeleton tokens, but no ``skeleton_dim``.
        """
        image_tokens = image_tokens.detach()
        messages = self.image_message(image_tokens.mean(dim=2))  # (B, T, W)
        messages = messages + attend(self.image_message_attn, self.image_message_norm(messages))
        if skeleton_tokens is None:
            groups = [image_tokens, messages[:, :, None]]
            return self._pool_frames(groups, None)

        if self.skeleton_dim is None:
            raise ValueError('skeleton tokens were given, but skeleton_dim is None')
        if skeleton_valid is None:
            skeleton_valid = skeleton_tokens.new_ones(skeleton_tokens.shape[:2], dtype=torch.bool)
        skeletons = self.skeleton_message(skeleton_tokens)  # (B, T, V, W)
        guides = self._guide(skeletons, skeleton_valid)
        messages = self._listen(messages, guides, skeleton_valid)
        if self.scrambled_skeletons:
            skeletons = _scramble(skeletons)
        groups = [image_tokens, messages[:, :, None], skeletons, guides[:, :, None]]
        return self._pool_frames(groups, skeleton_valid)

    def _guide(self, skeletons: Tensor, valid: Tensor) -> Tensor:
        """Return the skeleton messages of each frame, (B, T, W)."""
        guides = skeletons.mean(dim=2)
        normed = self.skeleton_message_norm(guides)
        return guides + attend(self.skeleton_message_attn, normed, valid=valid)

    def _listen(self, messages: Tensor, guides: Tensor, valid: Tensor) -> Tensor:
        """Let the image messages look at the skeleton messages of their clip, (B, T, W)."""
        heard = attend(
            self.cross_attn,
            self.cross_image_norm(messages),
            self.cross_skeleton_norm(guides),
            valid,
        )
        return torch.where(valid.any(dim=1)[:, None, None], messages + heard, messages)

    def _pool_frames(self, groups: list[Tensor], skeleton_valid: Tensor | None) -> Tensor:
        """Attend within each frame and average its tokens.

        Args:
            groups: Tokens by type, float, (B, T, ·, W) each, in the order of
                ``type_embed``.
            skeleton_valid: Bool, (B, T); frames whose groups 2 and 3 count.

        Returns:
            Frame features, float, (B, T, W).
        """
        types = self.type_embed.unbind()  # in testing there are more than groups
        typed = [group + embed for group, embed in zip(groups, types, strict=False)]
        tokens = torch.cat(typed, dim=2).flatten(0, 1)  # (B * T, N, W)
        valid = None
        if skeleton_valid is not None:
            num_image = groups[0].shape[2] + 1
            valid = skeleton_valid.flatten()[:, None].repeat(1, tokens.shape[1])  # (B * T, N)
            valid[:, :num_image] = True
        tokens = tokens + attend(self.attn, self.norm1(tokens), valid=valid)
        tokens = self.dropout.add(tokens, self.ffn(self.norm2(tokens)))
        weights = self.score(tokens).sigmoid()  # (B * T, N, 1)
        if valid is not None:
            weights = weights.masked_fill(~valid[..., None], 0)
        weights = weights / (weights.sum(dim=1, keepdim=True) + 1e-6)
        return (weights * tokens).sum(dim=1).unflatten(0, groups[0].shape[:2])


def attend(
    attention: nn.MultiheadAttention,
    query: Tensor,
    memory: Tensor | None = None,
    valid: Tensor | None = None,
) -> Tensor:
    """Attend from query (N, Q, W) to the valid (N, M) of memory (N, M, W).

    A row without any valid entry looks at all of them, since a softmax over
    nothing is not a number; the caller discards such rows.
    """
    memory = query if memory is None else memory
    ignore = None if valid is None else ~valid & valid.any(dim=1, keepdim=True)
    return attention(query, memory, memory, key_padding_mask=ignore, need_weights=False)[0]


def _scramble(skeletons: Tensor) -> Tensor:
    """Read the buffer of (B, T, V, W) as (V, B, T, W), as the published code does."""
    batch, frames, joints, width = skeletons.shape
    buffer = skeletons.contiguous().view(joints, batch, frames, width)
    return buffer.permute(1, 2, 0, 3)
