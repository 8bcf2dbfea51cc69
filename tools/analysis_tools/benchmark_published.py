"""Stage 2 as the published code computes it: the same numbers, more work.

Each function undoes one of our measures in a model that is built already, and is undone itself
afterwards, so that a benchmark can switch measures on and off. Losses and gradients stay the same
up to rounding; only dropout draws other values with ``lean_feed_forward`` switched off.

Source:
    The published code of CSIP-ReID (arXiv:2511.13150) and of CLIP, from which it took its tower.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

import torch
from mmpretrain.models.utils import MultiheadAttention
from torch import Tensor, nn
from torch.nn import functional as F

from csipreid.models.backbones.clip_encoder_layer import CLIPEncoderLayer
from csipreid.models.dropout import Dropout
from csipreid.models.feed_forward import FeedForward, QuickGELU
from csipreid.models.losses import IdentityLoss, PrototypeContrastiveLoss
from csipreid.models.prototypes.prototype_fusion_updater import (
    PrototypeAttention,
    PrototypeFusionUpdater,
)

Patch = Callable[[Any, str, Any], None]  # sets an attribute of a module until the end


def unfuse_attention(model: nn.Module, patch: Patch) -> None:
    """Write out all attention: logits, softmax, product; keep the maps of the image encoder.

    The published tower returns them, (N, heads, L, L) for each layer; they live as long as the
    step. The temporal module asks for averaged weights, which nobody reads.
    """
    maps: list[Tensor] = []
    for module in _modules(model):
        if isinstance(module, MultiheadAttention):
            patch(module, 'scaled_dot_product_attention', _Explicit(maps))
        elif isinstance(module, CLIPEncoderLayer):
            patch(module, '_attend', module.attn)
        elif isinstance(module, PrototypeAttention):
            patch(module, 'forward', MethodType(_explicit_prototype_attention, module))
        elif isinstance(module, nn.MultiheadAttention):
            patch(module, 'forward', _with_weights(module.forward))


class _Explicit:
    """Attention in three steps.

    Args:
        kept: Where the maps are put; None drops them.
    """

    def __init__(self, kept: list[Tensor] | None = None) -> None:
        self.kept = kept

    def __call__(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
    ) -> Tensor:
        """Attend from (N, heads, L, d) to the same; ``attn_mask`` says what may be looked at."""
        logits = query * query.shape[-1] ** -0.5 @ key.transpose(-2, -1)
        if attn_mask is not None:
            logits = logits.masked_fill(~attn_mask, -torch.inf)
        weights = logits.softmax(dim=-1)
        if self.kept is not None:
            self.kept.append(weights)
        return F.dropout(weights, dropout_p) @ value


def _explicit_prototype_attention(
    self: PrototypeAttention, query: Tensor, memory: Tensor, mask: Tensor | None = None
) -> Tensor:
    """Compute a ``PrototypeAttention`` with its map written out."""
    q, k, v = (
        part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        for part in (self.q_proj(query), self.k_proj(memory), self.v_proj(memory))
    )
    return self.proj(_Explicit()(q, k, v, mask).transpose(1, 2).flatten(2))


def _with_weights(forward: Callable[..., tuple]) -> Callable[..., tuple]:
    """Make an ``nn.MultiheadAttention`` compute its averaged weights."""

    def call(*args: Any, **kwargs: Any) -> tuple:
        return forward(*args, **dict(kwargs, need_weights=True))

    return call


def unshare_prototypes(model: Any, patch: Patch) -> None:
    """Give each clip its own copy of the prototypes before the updater's first layer."""
    updater = model.prototype_updater
    patch(updater, 'forward', MethodType(_updater_forward, updater))


def _updater_forward(
    self: PrototypeFusionUpdater,
    image_prototypes: Tensor,
    skeleton_prototypes: Tensor,
    memory: Tensor,
    memory_valid: Tensor | None = None,
) -> Tensor:
    """Compute a ``PrototypeFusionUpdater`` clip by clip from the start."""
    prototypes = self.fuse(image_prototypes, skeleton_prototypes)
    memory = self.memory_proj(memory)
    mask = None if memory_valid is None else memory_valid[:, None, None]
    updated = self.prototype_proj(prototypes.repeat(len(memory), 1, 1))  # (B, K, P)
    for layer in self.layers:
        updated = layer(updated, memory, mask)
    return prototypes + self.out_proj(updated)


def spell_out_labels(model: nn.Module, patch: Patch) -> None:
    """Compute label smoothing from one-hot rows that are made on the CPU, loss by loss."""
    for module in _modules(model):
        if isinstance(module, IdentityLoss):
            patch(module, 'forward', MethodType(_identity_loss, module))
        elif isinstance(module, PrototypeContrastiveLoss):
            patch(module, 'forward', MethodType(_prototype_loss, module))


def _cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    """Compare logits (N, K) with smoothed one-hot rows."""
    log_prob = logits.log_softmax(dim=1)
    rows = torch.zeros(log_prob.shape).scatter_(1, labels.cpu()[:, None], 1).to(logits.device)
    rows = (1 - label_smoothing) * rows + label_smoothing / logits.shape[1]
    return (-rows * log_prob).mean(dim=0).sum()


def _identity_loss(self: IdentityLoss, logits: Tensor, labels: Tensor) -> Tensor:
    """Compute an ``IdentityLoss``."""
    return self.loss_weight * _cross_entropy(logits, labels, self.label_smoothing)


def _prototype_loss(
    self: PrototypeContrastiveLoss, embeddings: Tensor, prototypes: Tensor, labels: Tensor
) -> Tensor:
    """Compute a ``PrototypeContrastiveLoss``."""
    logits = self.logits(embeddings, prototypes)
    return self.loss_weight * _cross_entropy(logits, labels, self.label_smoothing)


def spread_feed_forward(model: nn.Module, patch: Patch) -> None:
    """Compute feed-forward layers by modules of torch and mmpretrain, with torch's dropout."""
    for module in _modules(model):
        if isinstance(module, CLIPEncoderLayer):
            patch(module, 'forward', MethodType(_layer_forward, module))
        elif isinstance(module, FeedForward):
            patch(module, 'forward', MethodType(nn.Sequential.forward, module))
        elif isinstance(module, QuickGELU):
            patch(module, 'forward', MethodType(_quick_gelu, module))
        elif isinstance(module, Dropout):
            patch(module, 'forward', MethodType(nn.Dropout.forward, module))
            patch(module, 'add', MethodType(_dropout_add, module))


def _layer_forward(self: CLIPEncoderLayer, tokens: Tensor, only_first: bool = False) -> Tensor:
    """Compute a ``CLIPEncoderLayer``, always for all tokens."""
    tokens = tokens + self._attend(self.ln1(tokens))
    tokens = self.ffn(self.ln2(tokens), identity=tokens)
    return tokens[:, :1] if only_first else tokens


def _quick_gelu(self: QuickGELU, x: Tensor) -> Tensor:
    """Compute a ``QuickGELU``."""
    return x * torch.sigmoid(1.702 * x)


def _dropout_add(self: Dropout, identity: Tensor, x: Tensor) -> Tensor:
    """Compute ``Dropout.add``."""
    return identity + self(x)


def _modules(model: nn.Module) -> list[Any]:
    """List all modules, untyped, since their methods are replaced."""
    return list(model.modules())


# What is switched off, by the name of the measure.
SWITCHES: dict[str, Callable[[Any, Patch], None]] = dict(
    fused_attention=unfuse_attention,
    shared_self_attention=unshare_prototypes,
    label_smoothing=spell_out_labels,
    lean_feed_forward=spread_feed_forward,
)
# Those of them that the acceptance of the toolbox's speed names.
NAMED = ('fused_attention', 'shared_self_attention', 'label_smoothing')


@contextmanager
def switched_off(model: nn.Module, measures: Iterable[str] = tuple(SWITCHES)) -> Iterator[None]:
    """Undo measures in a model meanwhile; all of them are the published way.

    Raises:
        KeyError: If a measure is unknown.
    """
    before: list[tuple[Any, str, Any]] = []

    def patch(module: Any, name: str, value: Any) -> None:
        before.append((module, name, vars(module).get(name)))
        vars(module)[name] = value

    try:
        for measure in measures:
            SWITCHES[measure](model, patch)
        yield
    finally:
        for module, name, value in reversed(before):
            vars(module).pop(name)
            if value is not None:
                vars(module)[name] = value


if __name__ == '__main__':
    print('usage: python tools/analysis_tools/benchmark.py --help; this file is a part of it')
