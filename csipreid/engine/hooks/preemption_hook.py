"""Saving and leaving when a cluster takes its machine back."""

import functools
import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce_params, barrier, is_distributed
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from csipreid.engine.resuming import PREEMPTED, remove_preempted
from csipreid.registry import HOOKS

# Of sysexits.h: a failure that passes; who started the run is invited to start it again.
EXIT_STATUS = 75


class Preempted(SystemExit):
    """End of a run that was told to leave; its exit status is 75."""

    def __init__(self) -> None:
        super().__init__(EXIT_STATUS)


@HOOKS.register_module()
class PreemptionHook(Hook):
    """On SIGTERM, write a checkpoint after the current iteration and exit with 75.

    The end is an exception, :class:`Preempted`; until the process is gone further
    signals change nothing.

    The checkpoint, ``preempted_iter_N.pth``, lets ``--resume`` go on with the
    next batch of the same epoch. With gradient accumulation it is written after
    the next update. Several processes agree on the iteration: if one of them
    gets the signal, all stop. Running statistics of batch norms are averaged over
    them, as at the end of an epoch. A validation is left at once if its epoch is
    saved, and else finished. Between the start of ``train()`` and the first iteration
    the run stops at once; before that the signal means what it always does.

    Args:
        signals: Names of the signals to obey.
    """

    # After the schedules and the checkpoint of the iteration.
    priority = 'LOWEST'

    def __init__(self, signals: Sequence[str] = ('SIGTERM',)) -> None:
        self.signals = [signal.Signals[name] for name in signals]
        self._handlers: dict[signal.Signals, Any] = {}
        self._told = False
        self._iterates = False
        self._group: Any = None

    def before_run(self, runner: Runner) -> None:
        """Listen to the signals; only a process's main thread can."""
        if not runner.will_train or threading.current_thread() is not threading.main_thread():
            return
        if is_distributed():
            # On the CPU, so that the question waits for no GPU.
            self._group = torch.distributed.new_group(backend='gloo')
        for number in self.signals:
            self._handlers[number] = signal.signal(number, self._listen)
        for loop in (runner.train_loop, runner.val_loop):
            if loop is not None:
                loader = loop.dataloader
                loader.worker_init_fn = functools.partial(
                    _start_worker, self.signals, loader.worker_init_fn
                )

    def after_run(self, runner: Runner) -> None:
        """Stop listening."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    def before_train_epoch(self, runner: Runner) -> None:
        """From now on wait for the end of an iteration."""
        self._iterates = True

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Save and leave if any process was told to, once no gradient is in flight."""
        if not runner.optim_wrapper.should_update() or not self._anyone_told():
            return
        all_reduce_params(_running_statistics(runner.model), op='mean')
        name = PREEMPTED.format(runner.iter + 1)
        runner.save_checkpoint(runner.work_dir, name, by_epoch=False)
        barrier()  # a process that exits before rank 0 has written would have it killed
        runner.logger.warning(
            f'told to stop: saved {name} in {runner.work_dir}, to go on with --resume; '
            f'exit status {EXIT_STATUS}'
        )
        self._leave()

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Leave a validation if the epoch before it is saved; a later iteration leaves else."""
        if self._handlers and self._told and _is_saved(runner):
            runner.logger.warning(
                f'told to stop in validation, which --resume repeats; exit status {EXIT_STATUS}'
            )
            self._leave()

    def after_train_epoch(self, runner: Runner) -> None:
        """Remove what an earlier preemption left, which the epoch's checkpoint replaces."""
        if runner.rank == 0:
            remove_preempted(runner.work_dir, len(runner.train_dataloader))

    def _listen(self, number: int, frame: Any) -> None:
        """Take note of a signal; leave at once if no iteration would notice."""
        self._told = True
        if not self._iterates:
            self._leave()

    def _leave(self) -> None:
        """End the run; a launcher that tells the same again must not change the exit status."""
        for number in self.signals:
            signal.signal(number, signal.SIG_IGN)
        raise Preempted

    def _anyone_told(self) -> bool:
        """Tell whether any process got a signal."""
        if self._group is None:
            return self._told
        told = torch.tensor(int(self._told))
        torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX, group=self._group)
        return bool(told)


def _is_saved(runner: Runner) -> bool:
    """Tell whether the last checkpoint is that of the epoch that has just ended."""
    last = runner.message_hub.runtime_info.get('last_ckpt', '')
    return os.path.basename(last) == f'epoch_{runner.epoch}.pth'


def _running_statistics(model: nn.Module) -> list[Tensor]:
    """Return the running means and variances of all batch norms."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    buffers = [buffer for norm in norms for buffer in (norm.running_mean, norm.running_var)]
    return [buffer for buffer in buffers if buffer is not None]


def _start_worker(
    signals: Sequence[signal.Signals], start: Callable[[int], None] | None, worker_id: int
) -> None:
    """Let a data worker ignore signals that are sent to all processes of a job.

    It is needed until the checkpoint is written. Its parent alone can end it.
    """
    if hasattr(signal, 'sigwaitinfo'):  # which tells the sender; Linux has it
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        threading.Thread(target=_obey_parent, args=(signals,), daemon=True).start()
    if start is not None:
        start(worker_id)


def _obey_parent(signals: Sequence[signal.Signals]) -> None:
    """Wait for signals and end this process at one of its parent."""
    parent = os.getppid()
    while signal.sigwaitinfo(signals).si_pid != parent:
        pass
    os._exit(0)
