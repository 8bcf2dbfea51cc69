"""Checkpoints of plain values and tensors."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from csipreid.registry import HOOKS


@HOOKS.register_module()
class PlainCheckpointHook(Hook):
    """Turn a checkpoint into tensors and plain Python values before it is written.

    A checkpoint of MMEngine holds objects of its own classes and of NumPy, which
    ``torch.load(weights_only=True)`` rightly refuses. The histories of logged
    scalars are left out: they only smooth the next printed values.
    """

    priority = 'LOWEST'

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Replace what is not plain, in place."""
        hub = checkpoint['message_hub']
        hub['log_scalars'] = {}
        hub['resumed_keys'] = {
            key: value for key, value in hub['resumed_keys'].items() if key in hub['runtime_info']
        }
        for key in set(checkpoint) - {'state_dict'}:
            checkpoint[key] = plain(checkpoint[key])


def plain(value: Any) -> Any:
    """Copy nested containers with NumPy values turned into Python's.

    Raises:
        TypeError: If a value has no plain form.
    """
    if isinstance(value, np.generic):  # first, because np.float64 is a float too
        return value.item()
    if value is None or isinstance(value, bool | int | float | str | Tensor):
        return value
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    raise TypeError(f'a checkpoint may not hold a {type(value).__name__}: {value!r}')
