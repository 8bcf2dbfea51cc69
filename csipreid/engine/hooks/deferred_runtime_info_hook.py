"""Losses that are read from the device only when they are printed."""

from typing import Any

import torch
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner
from torch import Tensor

from csipreid.registry import HOOKS

_MAX_PENDING = 1000  # iterations whose losses are kept on the device at most


@HOOKS.register_module()
class DeferredRuntimeInfoHook(RuntimeInfoHook):
    """MMEngine's RuntimeInfoHook, which does not wait for the device in each iteration.

    The stock hook turns every loss into a number after each iteration, for which
    the host has to wait until the device has finished it and cannot prepare the
    next one meanwhile. Here the losses stay on the device until the LoggerHook is
    about to print, or the epoch ends; then all of them are copied at once. What
    is printed and written is the same.
    """

    def before_train(self, runner: Runner) -> None:
        """Find out how often the losses are printed."""
        super().before_train(runner)
        self._pending: list[tuple[str, Any]] = []
        self._num_pending_iters = 0
        self._intervals = [hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)]

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Keep the losses of an iteration; read all of them if they are about to be printed."""
        for name, value in (outputs or {}).items():
            key = f'train/{name}'
            # The order of first appearance is the order in which they are printed.
            runner.message_hub.log_scalars.setdefault(key, HistoryBuffer())
            value = value.detach() if isinstance(value, Tensor) else value
            self._pending.append((key, value))
        self._num_pending_iters += 1
        if (
            any(self.every_n_inner_iters(batch_idx, n) for n in self._intervals)
            or self.end_of_epoch(runner.train_dataloader, batch_idx)
            or self._num_pending_iters == _MAX_PENDING
        ):
            self._flush(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Read what is left; an epoch may end before its last batch."""
        self._flush(runner)

    def after_train(self, runner: Runner) -> None:
        """Read what is left of a training without epochs."""
        self._flush(runner)
        super().after_train(runner)

    def _flush(self, runner: Runner) -> None:
        """Hand the kept values to the message hub, in the order in which they came."""
        pending, self._pending, self._num_pending_iters = self._pending, [], 0
        values = _numbers([value for _, value in pending])
        for (key, _), value in zip(pending, values, strict=True):
            runner.message_hub.update_scalar(key, value)


def _numbers(values: list[Any]) -> list[Any]:
    """Replace tensors of one element by their numbers, with one copy for each type and device."""
    groups: dict[tuple[torch.dtype, torch.device], list[int]] = {}
    for index, value in enumerate(values):
        if isinstance(value, Tensor):
            groups.setdefault((value.dtype, value.device), []).append(index)
    numbers = list(values)
    for indices in groups.values():
        column = torch.stack([values[index].reshape(()) for index in indices]).tolist()
        for index, number in zip(indices, column, strict=True):
            numbers[index] = number
    return numbers
