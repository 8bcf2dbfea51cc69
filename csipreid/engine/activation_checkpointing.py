"""Memory for time: activations that are computed again in the backward pass."""

import fnmatch
import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def checkpoint_activations(model: nn.Module, patterns: str | Sequence[str]) -> list[str]:
    """Let modules keep their inputs only, and compute the rest again for the gradient.

    Dropout draws the same zeros the second time. Where no gradient is computed, as
    in a frozen part or in testing, the modules run as before.

    Source:
        Chen et al., "Training Deep Nets with Sublinear Memory Cost",
        arXiv:1604.06174.

    Args:
        model: Model without a distributed wrapper; changed in place.
        patterns: Names of modules, as in ``model.named_modules()``, in which ``*``
            stands for any one part. A list of layers stands for all its layers:
            'image_encoder.layers' is 'image_encoder.layers.*'.

    Returns:
        Names of the modules.

    Raises:
        ValueError: If a pattern matches nothing, or a module has batch norms, which
            would count each batch twice, or is never called.
    """
    chosen: dict[str, nn.Module] = {}
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        found = {name: module for name, module in model.named_modules() if _matches(name, pattern)}
        if not found:
            raise ValueError(
                f'activation_checkpointing: no module of the model is named {pattern!r}; its '
                f'parts are {[name for name, _ in model.named_children()]}'
            )
        for name, module in found.items():
            chosen |= _callable_modules(name, module)
    # A module inside another one would be computed three times.
    chosen = {name: module for name, module in chosen.items() if not _inside(name, chosen)}
    for name, module in chosen.items():
        check_is_called(model, name, 'activation_checkpointing')
        if any(isinstance(part, _BatchNorm) for part in module.modules()):
            raise ValueError(
                f'activation_checkpointing: {name} has batch norms, whose running statistics '
                'would count each batch twice'
            )
        module.forward = _checkpointed(module.forward)  # type: ignore[method-assign]
    return list(chosen)


def check_is_called(model: nn.Module, name: str, option: str) -> None:
    """Refuse a module that no forward pass calls, so that nothing can be done around its call.

    The class of a module names in ``uncalled_children`` those of its children that it
    never calls, since it computes with their weights itself.

    Args:
        model: The whole model.
        name: Name of the module, as in ``model.named_modules()``.
        option: What asks for it, for the message.

    Raises:
        ValueError: If the module is such a child or lies in one.
    """
    parts = name.split('.')
    for depth, part in enumerate(parts):
        above = '.'.join(parts[:depth])
        parent = model.get_submodule(above)
        if part in getattr(parent, 'uncalled_children', ()):
            raise ValueError(
                f'{option}: {name} is never called, since {above or "the model"} '
                f'({type(parent).__name__}) computes with its weights itself; name '
                f'{above or "another module"} instead'
            )


def _matches(name: str, pattern: str) -> bool:
    """Compare part by part, so that a star does not reach into what it names."""
    names, patterns = name.split('.'), pattern.split('.')
    return len(names) == len(patterns) and all(map(fnmatch.fnmatchcase, names, patterns))


def _callable_modules(name: str, module: nn.Module) -> dict[str, nn.Module]:
    """Return the module, or those in it if it is a list, which is never called itself."""
    if not isinstance(module, nn.ModuleList):
        return {name: module}
    inner: dict[str, nn.Module] = {}
    for key, child in module.named_children():
        inner |= _callable_modules(f'{name}.{key}', child)
    return inner


def _inside(name: str, others: dict[str, nn.Module]) -> bool:
    """Whether a module lies in another one of them."""
    return any(name.startswith(f'{other}.') for other in others)


def _checkpointed(forward: Callable) -> Callable:
    """Wrap the forward of a module."""

    @functools.wraps(forward)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*args, **kwargs)
        return checkpoint(forward, *args, use_reentrant=False, **kwargs)

    return wrapper
