"""Feed-forward layers that keep little for the gradient."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from csipreid.models.dropout import Dropout, apply_keep_, draw_keep, draws_bits

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
    """An activation ``f(scale x) / scale``, by functions that torch computes in one pass.

    Attributes:
        scale: What the values are multiplied with.
        forward: ``f`` into a new tensor or ``out``.
        in_place: ``f`` in place.
        backward: Gradient of ``f``'s result and its input, to the gradient of the input,
            in ``grad_input``.
    """

    scale: float
    forward: Callable[..., Tensor]
    in_place: Callable[[Tensor], Tensor]
    backward: Callable[..., Tensor]


_aten = torch.ops.aten
_ACTIVATIONS = {
    'quick_gelu': _Activation(_QUICK, _aten.silu, _aten.silu_, _aten.silu_backward),
    'gelu': _Activation(1.0, _aten.gelu, _aten.gelu_, _aten.gelu_backward),
    'relu': _Activation(
        1.0,
        _aten.relu,
        _aten.relu_,
        lambda grad, x, **out: _aten.threshold_backward(grad, x, 0, **out),
    ),
}
_MODULES = dict(quick_gelu=QuickGELU, gelu=nn.GELU, relu=nn.ReLU)


class FeedForward(nn.Sequential):
    """Linear layer, activation, dropout, linear layer.

    What :func:`feed_forward` says, as a module; the parameters have the names of a
    plain sequence.

    Args:
        embed_dim: Width of the input and the result.
        hidden_dim: Width between the linear layers.
        activation: 'quick_gelu', 'gelu' or 'relu'.
        dropout: Probability of a zero between the linear layers.

    Raises:
        ValueError: If the probability is not in [0, 1).
    """

    uncalled_children = ('0', '1', '2', '3')

    def __init__(
        self, embed_dim: int, hidden_dim: int, activation: str, dropout: float = 0.0
    ) -> None:
        if not 0 <= dropout < 1:
            raise ValueError(f'dropout must be in [0, 1), got {dropout}')
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
        prob = dropout.p if dropout.training else 0.0
        return feed_forward(x, widen, narrow, self.activation, prob)


def feed_forward(
    x: Tensor,
    widen: nn.Linear,
    narrow: nn.Linear,
    activation: str,
    dropout: float = 0.0,
    identity: Tensor | None = None,
) -> Tensor:
    """Compute ``narrow(dropout(activation(widen(x))))`` and keep little for the gradient.

    Written with modules, three or four tensors of the hidden width are kept: what goes
    into the activation, parts of it, and what goes into the second linear layer. Here it
    is the first alone, and with dropout its mask; the others follow from them at little
    cost. Factors are left to the matrix products.

    Args:
        x: Float, (..., C).
        widen: From C to the hidden width, with bias.
        narrow: From the hidden width to C', with bias.
        activation: 'quick_gelu', 'gelu' or 'relu'.
        dropout: Probability of a zero between the two, in [0, 1).
        identity: Added to the result, float, (..., C'); the last product then adds to it
            what it computes.

    Returns:
        Float, (..., C').
    """
    kind, dtype = x.device.type, x.dtype
    if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
        dtype = torch.get_autocast_dtype(kind)
    rows, *weights = (
        part.to(dtype)
        for part in (x.flatten(0, -2), widen.weight, widen.bias, narrow.weight, narrow.bias)
    )
    # What is as precise as the products is added within them.
    inside = identity if identity is not None and identity.dtype == dtype else None
    result = _FeedForward.apply(
        rows,
        *weights,
        None if inside is None else inside.flatten(0, -2),
        activation,
        dropout,
        torch.is_grad_enabled(),
    ).unflatten(0, x.shape[:-1])
    return result if identity is None or inside is not None else identity + result


class _FeedForward(torch.autograd.Function):
    """Linear layer, activation, dropout and linear layer, on rows (N, C)."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        out_weight: Tensor,
        out_bias: Tensor,
        identity: Tensor | None,
        name: str,
        dropout: float,
        keeps: bool,
    ) -> Tensor:
        """Compute the result, (N, C'); ``keeps`` says whether a gradient may follow."""
        ctx.name, ctx.scale = name, 1 / (1 - dropout)
        activation, keep = _ACTIVATIONS[name], None
        factor = activation.scale
        inner = torch.addmm(bias, x, weight.T, beta=factor, alpha=factor)  # (N, hidden)
        hidden = activation.forward(inner) if keeps else activation.in_place(inner)
        scale = ctx.scale
        if dropout and draws_bits(x):
            keep = draw_keep(hidden, dropout)
            hidden = apply_keep_(hidden, keep)
        elif dropout:
            hidden, keep = torch.native_dropout(hidden, dropout, True)
            scale = 1.0  # torch has applied it
        if keeps:
            ctx.save_for_backward(x, inner, keep, weight, out_weight)
        if identity is None:
            return torch.addmm(out_bias, hidden, out_weight.T, alpha=scale / factor)
        result = identity + out_bias
        return result.addmm_(hidden, out_weight.T, alpha=scale / factor)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Compute the hidden values again, and all gradients that are needed."""
        x, inner, keep, weight, out_weight = ctx.saved_tensors
        activation, needs = _ACTIVATIONS[ctx.name], ctx.needs_input_grad
        grads: list[Tensor | None] = [None] * 5
        wide = torch.empty_like(inner)  # one for all: memory from the system costs time
        if needs[3]:
            hidden = _drop(activation.forward(inner, out=wide), keep)
            grads[3] = (grad.T @ hidden).mul_(ctx.scale / activation.scale)
        if needs[4]:
            grads[4] = grad.sum(dim=0)
        if any(needs[:3]):
            # The two factors of the activation cancel.
            nothing = grad.new_zeros(())
            torch.addmm(nothing, grad, out_weight, beta=0, alpha=ctx.scale, out=wide)
            inner_grad = activation.backward(_drop(wide, keep), inner, grad_input=wide)
            grads[0] = inner_grad @ weight if needs[0] else None
            grads[1] = inner_grad.T @ x if needs[1] else None
            grads[2] = inner_grad.sum(dim=0) if needs[2] else None
        return (*grads, grad if needs[5] else None, None, None, None)


def _drop(x: Tensor, keep: Tensor | None) -> Tensor:
    """Apply a mask that was drawn before to a tensor that nobody else reads; not scaled."""
    if keep is None:
        return x
    return x.mul_(keep) if keep.dtype == torch.bool else apply_keep_(x, keep)
