"""Compilation of a model's parts by torch.compile."""

import os
import shutil
from typing import Any

from torch import nn

# Where the time goes. Losses and heads are small, and hold what breaks a graph.
_PARTS = ('image_encoder', 'skeleton_encoder', 'temporal', 'prototype_updater')


def compile_options(value: Any) -> dict | None:
    """Read the top-level key ``compile`` of a config.

    Args:
        value: True or a dict of arguments of ``torch.compile``, or None or False.

    Returns:
        The arguments; None where nothing is to be compiled.

    Raises:
        ValueError: If it is something else, or there is no compiler for it.
    """
    if value is None or value is False:
        return None
    if not isinstance(value, bool | dict):
        raise ValueError(f'compile must be True, False or a dict of arguments, got {value!r}')
    options = dict(value) if isinstance(value, dict) else {}
    compiler = os.environ.get('CXX', 'g++')
    if options.get('backend', 'inductor') == 'inductor' and shutil.which(compiler) is None:
        raise ValueError(
            f'compile needs a C++ compiler, and {compiler} was not found; install one, name it in '
            'the environment variable CXX, or leave compile out'
        )
    return options


def compile_parts(model: nn.Module, options: dict) -> list[str]:
    """Compile the heavy parts of a model in place; the keys of its state stay as they are.

    Of a part with equal layers each layer is compiled: they share what the first
    gave, so that a deep tower takes no longer to compile than a shallow one.
    MMEngine's own way compiles ``train_step``, in which the optimiser fails.

    Args:
        model: Model without a distributed wrapper.
        options: Arguments of ``torch.compile``.

    Returns:
        Names of the parts.

    Raises:
        ValueError: If the model has no such part.
    """
    parts = [name for name in _PARTS if isinstance(getattr(model, name, None), nn.Module)]
    if not parts:
        raise ValueError(
            f'compile needs a model with one of the parts {list(_PARTS)}, got a '
            f'{type(model).__name__} without'
        )
    for name in parts:
        for module in _called_modules(getattr(model, name)):
            module.compile(**options)
    return parts


def _called_modules(part: nn.Module) -> list[nn.Module]:
    """List what does the work of a part and is called in every one of its methods.

    A part that is itself compiled runs as it was where another method than its
    ``forward`` is called, as stage 1 does with image encoders.
    """
    layers, backbone = getattr(part, 'layers', None), getattr(part, 'backbone', None)
    if isinstance(layers, nn.ModuleList):
        return list(layers)
    return [backbone if isinstance(backbone, nn.Module) else part]
