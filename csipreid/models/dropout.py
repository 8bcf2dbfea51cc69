"""Dropout that is quick on the CPU, alone and before a residual sum."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# Integers as wide as the values of a tensor, by bytes.
_INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


def draw_keep(like: Tensor, prob: float) -> Tensor:
    """Draw which values of a tensor dropout keeps.

    Torch draws a double for each value, one after the other; here every random
    bit of its generator is used, and the draws become the mask in place.

    Args:
        like: Gives the shape, the width of the values and the device, any float.
        prob: Probability of a zero, in (0, 1); rounded to the 2^-16 of float16
            and bfloat16 or the 2^-32 of float32.

    Returns:
        All bits set where the value is kept, none where it is not; int16, int32 or
        int64, the shape of ``like``.
    """
    kind = _INTEGERS[like.element_size()]
    words = -(-like.numel() * like.element_size() // 8)
    draws = torch.empty(words, dtype=torch.int64, device=like.device).random_(-(2**63), None)
    keep = draws.view(kind)[: like.numel()].view(like.shape)
    limits = torch.iinfo(kind)
    dropped = min(max(round(prob * 2**limits.bits), 1), 2**limits.bits - 1)  # of all draws
    first = limits.min + dropped  # the smallest that is kept
    keep.clamp_(first - 1, first)
    return torch.sub(first - 1, keep, out=keep)


def apply_keep(x: Tensor, keep: Tensor) -> Tensor:
    """Return ``x`` with zeros where nothing is kept; not scaled."""
    return torch.bitwise_and(x.view(keep.dtype), keep).view(x.dtype)


def apply_keep_(x: Tensor, keep: Tensor) -> Tensor:
    """Do the same in place."""
    x.view(keep.dtype).bitwise_and_(keep)
    return x


def is_active(module: nn.Dropout, x: Tensor) -> bool:
    """Tell whether a dropout layer has to draw, in a way that only the CPU needs."""
    return module.training and 0 < module.p < 1 and draws_bits(x)


def draws_bits(x: Tensor) -> bool:
    """Tell whether :func:`draw_keep` draws for a tensor: on the CPU, where it is quicker.

    Not in compiled code, which cannot read one storage as two types.
    """
    return x.device.type == 'cpu' and not torch.compiler.is_compiling()


class Dropout(nn.Dropout):
    """Torch's dropout; on the CPU several times as fast, with other random draws."""

    def forward(self, x: Tensor) -> Tensor:
        """Drop values of a tensor of any shape."""
        return _Drop.apply(x, self.p) if is_active(self, x) else super().forward(x)

    def add(self, identity: Tensor, x: Tensor) -> Tensor:
        """Return ``identity + dropout(x)``."""
        if is_active(self, x) and identity.dtype == x.dtype and identity.shape == x.shape:
            return _DropAdd.apply(identity, x, self.p)
        return identity + self(x)


class _Drop(torch.autograd.Function):
    """Dropout on the CPU."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, prob: float) -> Tensor:
        """Draw and drop."""
        keep = draw_keep(x, prob)
        ctx.save_for_backward(keep)
        ctx.scale = 1 / (1 - prob)
        return apply_keep(x, keep).mul_(ctx.scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Drop the same of the gradient."""
        return apply_keep(grad, ctx.saved_tensors[0]).mul_(ctx.scale), None


class _DropAdd(torch.autograd.Function):
    """Dropout of the second tensor and the sum, on the CPU."""

    @staticmethod
    def forward(ctx: Any, identity: Tensor, x: Tensor, prob: float) -> Tensor:
        """Draw, drop and add."""
        keep = draw_keep(x, prob)
        ctx.save_for_backward(keep)
        ctx.scale = 1 / (1 - prob)
        dropped = apply_keep(x, keep)
        return torch.add(identity, dropped, alpha=ctx.scale, out=dropped)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        """Pass the gradient on, and drop the same of it."""
        return grad, apply_keep(grad, ctx.saved_tensors[0]).mul_(ctx.scale), None
