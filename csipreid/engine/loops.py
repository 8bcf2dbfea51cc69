"""A training loop that can be continued in the midst of an epoch."""

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any

from mmengine.runner import EpochBasedTrainLoop
from torch import nn
from torch.utils.data import DataLoader

from csipreid.registry import LOOPS

_VALIDATED = 'validated_epoch'


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """MMEngine's loop over epochs, which continues where a checkpoint was written.

    - A run interrupted within an epoch goes on with the next batch; the batches
      before it are passed over without being loaded.
    - A validation that an interruption cut off is done first.
    - Gradient accumulation ends with each epoch, so that no gradient is in flight
      when the checkpoint of an epoch is written. The last update of an epoch may be
      one of fewer batches, of which it takes the mean.

    The arguments are those of :class:`mmengine.runner.EpochBasedTrainLoop`.
    """

    runner: Any

    def run(self) -> nn.Module:
        """Train, and validate when it is due."""
        self.runner.call_hook('before_train')
        validated = self.runner.message_hub.runtime_info.get(_VALIDATED)
        if self._epoch > 0 and self.batches_done == 0 and validated != self._epoch:
            self._validate_if_due()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        self.runner.call_hook('after_train')
        return self.runner.model

    @property
    def batches_done(self) -> int:
        """Batches of the current epoch that are done."""
        return self._iter - self._epoch * len(self.dataloader)

    def run_epoch(self) -> None:
        """Train for what is left of the current epoch."""
        done = self.batches_done
        if self.runner.optim_wrapper._accumulative_counts > 1:
            self.runner.optim_wrapper.initialize_count_status(
                self.runner.model, done, len(self.dataloader)
            )
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        with batches_from(self.dataloader, done):
            for index, batch in enumerate(self.dataloader, start=done):
                self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def _validate_if_due(self) -> None:
        """Validate if the last epoch is one after which that is to be done."""
        self._decide_current_val_interval()
        if (
            self.runner.val_loop is not None
            and self._epoch >= self.val_begin
            and (self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs)
        ):
            # A checkpoint from before the validation lacks this, one that it wrote has it.
            self.runner.message_hub.update_info(_VALIDATED, self._epoch)
            self.runner.val_loop.run()


@contextlib.contextmanager
def batches_from(dataloader: DataLoader, start: int) -> Iterator[None]:
    """Let a data loader leave out its first batches, without loading them.

    Args:
        dataloader: Loader with a batch sampler.
        start: Number of batches to leave out.
    """
    batch_sampler: Any = dataloader.batch_sampler
    if start == 0:
        yield
        return
    sampler = batch_sampler.sampler
    batch_sampler.sampler = _Rest(sampler, start * batch_sampler.batch_size)
    try:
        yield
    finally:
        batch_sampler.sampler = sampler


class _Rest:
    """A sampler without its first indices; it keeps its length."""

    def __init__(self, sampler: Any, start: int) -> None:
        self.sampler = sampler
        self.start = start

    def __iter__(self) -> Iterator[int]:
        return itertools.islice(iter(self.sampler), self.start, None)

    def __len__(self) -> int:
        return len(self.sampler)
