"""One batch from those of all processes."""

from typing import Any

import torch
from mmengine.dist import all_gather, get_rank, get_world_size
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def gather_rows(*parts: Tensor) -> list[Tensor]:
    """Put the rows of all processes one below the other, with gradients.

    Every process of the distributed run has to call it. They may hold different
    numbers of rows; the host waits once for the device to learn how many. A run
    of one process gets its own rows back.

    The gradient is right for a *loss that every process computes alike from the
    gathered rows*, in training that averages the gradients of W processes, as DDP
    and FSDP do. Its derivative by the rows of one process then is the same number
    everywhere, so none has to be exchanged: each process takes the part of its own
    rows, times W. Through the model that gives process r the gradient
    ``W sum_{i in r} dL/dz_i dz_i/dw``, and the average over r is
    ``sum_i dL/dz_i dz_i/dw``: that of one process with the whole batch.

    Args:
        *parts: Tensors with the same number B of rows, (B, ·) or (B,); bool ones
            and integers have no gradient.

    Returns:
        Each part of rank 0, 1 … W - 1, (sum of all B, ·) or (sum of all B,).
    """
    if get_world_size() == 1:
        return list(parts)
    # Filled on the device: to copy the number there would be one more wait.
    count = torch.full((), len(parts[0]), device=parts[0].device)
    counts = torch.stack(all_gather(count)).tolist()
    return [_GatherRows.apply(part, counts) for part in parts]


class _GatherRows(torch.autograd.Function):
    """Gather rows whose number per rank is known."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, counts: list[int]) -> Tensor:
        """Gather blocks of equal height, then cut off what filled them up."""
        ctx.counts = counts
        padding = [0, 0] * (rows.ndim - 1) + [0, max(counts) - len(rows)]
        # Bytes travel: gloo knows no bool.
        sent = rows.to(torch.uint8) if rows.dtype == torch.bool else rows
        blocks = all_gather(F.pad(sent, padding).contiguous())
        gathered = [block[:count] for block, count in zip(blocks, counts, strict=True)]
        return torch.cat(gathered).to(rows.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Take the gradient of the own rows, times the number of ranks."""
        own = grad.split(ctx.counts)[get_rank()]
        return own * len(ctx.counts), None
