"""From items to a batch, in the process that loaded them."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dataset import pseudo_collate
from torch import Tensor

from csipreid.registry import FUNCTIONS


@FUNCTIONS.register_module()
def collate_clips(items: Sequence[dict]) -> dict[str, Any]:
    """Collate items of :class:`PackReIDInputs`; the default of the runner's loaders.

    Tensors of equal shape become one: a worker hands each tensor over with a file
    descriptor of its own, which for single clips takes longer than to decode them.

    Args:
        items: B items, each with ``inputs`` and ``data_samples``.

    Returns:
        ``inputs``: for each name a tensor, (B, ...), or, where the shapes differ,
        a list of B; frames lie in memory as those of the items do, channels last.
        ``data_samples``: a list of B.
    """
    batch = pseudo_collate(items)
    batch['inputs'] = {name: _stack(parts, name) for name, parts in batch['inputs'].items()}
    return batch


def _stack(parts: list[Tensor], name: str) -> Tensor | list[Tensor]:
    """Stack tensors of equal shape."""
    if len({part.shape for part in parts}) > 1:
        return parts
    if name != 'frames':
        return torch.stack(parts)
    # Along the memory, which is several times as fast as across.
    return torch.stack([part.movedim(-3, -1) for part in parts]).movedim(-1, -3)
