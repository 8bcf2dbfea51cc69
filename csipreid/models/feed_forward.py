"""Feed-forward layers that keep little for the gradient."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from csipreid.models.dropout import Dropout, apply_keep, draw_keep, draws_bits

_QUICK = 1.702


class QuickGELU(nn.Module):
    """CLIP's approximation of GELU: ``x * sigmoid(1.702 x)``."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply the activation to a tensor of any shape."""
        return _quick_gelu(x)


def _quick_gelu(x: Tensor) -> Tensor:
    """Compute ``x * sigmoid(1.702 x)`` by torch's SiLU, which is one pass."""
    return F.silu(_QUICK * x) / _QUICK


class _Activation(NamedTuple):
    """An activation and what it makes of the gradient.

    Attributes:
        forward: Values, any shape, to a new tensor.
        backward: Gradient of the result and values, to the gradient of the values.
    """

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]


_aten = torch.ops.aten
_ACTIVATIONS = {
    'quick_gelu': _Activation(
        lambda x: F.silu(x * _QUICK, inplace=True).mul_(1 / _QUICK),
        lambda grad, x: _aten.silu_backward(grad, x * _QUICK),
    ),
    'gelu': _Activation(F.gelu, lambda grad, x: _aten.gelu_backward(grad, x)),
    'relu': _Activation(torch.relu, lambda grad, x: _aten.threshold_backward(grad, x, 0)),
}


_MODULES = dict(quick_gelu=QuickGELU, gelu=nn.GELU, relu=nn.ReLU)


class FeedForward(nn.Sequential):
    """Linear layer, activation, dropout, linear layer.

    What :func:`activated_linear` says, as a module; the parameters have the names
    of a plain sequence.

    Args:
        embed_dim: Width of the input and the result.
        hidden_dim: Width between the linear layers.
        activation: 'quick_gelu', 'gelu' or 'relu'.
        dropout: Probability of a zero between the linear layers.
    """

    def __init__(
        self, embed_dim: int, hidden_dim: int, activation: str, dropout: float = 0.0
    ) -> None:
        super().__init__(
            nn.Linear(embed_dim, hidden_dim),
            _MODULES[activation](),
            Dropout(dropout),
            nn.Linear(hidden_dim, embed_dim),
        )
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Transform (..., C) to (..., C)."""
        parts: Any = self
        widen, _, dropout, narrow = parts
        prob = dropout.p if self.training else 0.0
        return activated_linear(widen(x), self.activation, narrow, prob)


def activated_linear(x: Tensor, activation: str, linear: nn.Linear, dropout: float = 0.0) -> Tensor:
    """Compute ``linear(dropout(activation(x)))`` and keep only ``x`` for the gradient.

    Written with modules, a feed-forward layer keeps three or four tensors of its
    hidden width: what goes into the activation, parts of it, and what goes into the
    linear layer. The last two follow from the first at little cost.

    Args:
        x: Float, (..., C).
        activation: 'quick_gelu', 'gelu' or 'relu'.
        linear: From C to C'.
        dropout: Probability of a zero between the two, in [0, 1).

    Returns:
        Float, (..., C').
    """
    weight = linear.weight.to(x.dtype)  # under autocast x is half as wide
    bias = None if linear.bias is None else linear.bias.to(x.dtype)
    return _ActivatedLinear.apply(x, weight, bias, activation, dropout)


class _ActivatedLinear(torch.autograd.Function):
    """Activation, dropout and linear layer."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        activation: str,
        dropout: float,
    ) -> Tensor:
        """Compute the result."""
        ctx.activation, ctx.scale, keep = activation, 1 / (1 - dropout), None
        hidden = _ACTIVATIONS[activation].forward(x)
        if dropout and draws_bits(x):
            keep = draw_keep(hidden, dropout)
            hidden = apply_keep(hidden, keep).mul_(ctx.scale)
        elif dropout:
            hidden, keep = torch.native_dropout(hidden, dropout, True)
        ctx.save_for_backward(x, weight, keep)
        return F.linear(hidden, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Compute the hidden values again, and all gradients that are needed."""
        x, weight, keep = ctx.saved_tensors
        activation = _ACTIVATIONS[ctx.activation]
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad[:3]
        rows = grad.flatten(0, -2)  # (N, C')
        grad_x = grad_weight = grad_bias = None
        if needs_bias:
            grad_bias = rows.sum(dim=0)
        if needs_weight:
            hidden = _drop(activation.forward(x), keep, ctx.scale)
            grad_weight = rows.T @ hidden.flatten(0, -2)
            del hidden
        if needs_x:
            grad_x = activation.backward(_drop(grad @ weight, keep, ctx.scale), x)
        return grad_x, grad_weight, grad_bias, None, None


def _drop(x: Tensor, keep: Tensor | None, scale: float) -> Tensor:
    """Apply a mask that was drawn before to a tensor that nobody else reads."""
    if keep is None:
        return x
    if keep.dtype == torch.bool:
        return x.mul_(keep).mul_(scale)
    return apply_keep(x, keep).mul_(scale)
