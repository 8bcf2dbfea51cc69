"""What ended a run, in one sentence for people."""

import re
import traceback
from collections.abc import Iterator
from pathlib import Path

import torch

from csipreid.engine.resuming import checkpoints_of

# How torch says that a data worker or another process is gone.
_WORKER = re.compile(r'DataLoader worker \(pid\(?s?\)? [\d, ]+\) (?P<how>.*)', re.DOTALL)
_LOST = re.compile(
    r'connection (closed|reset|refused)|broken pipe|nccl|socket|gloo|store', re.IGNORECASE
)
_FROM_WORKER = re.compile(r'Caught \w+ in DataLoader worker process \d+\.')


def explain(error: BaseException) -> str | None:
    """Say what an error of a training means, if it is one that happens to users.

    Args:
        error: What ended the training.

    Returns:
        One sentence, or None for what must be a mistake in the code, whose
        traceback is needed.
    """
    text = str(error)
    if _FROM_WORKER.match(text):  # torch puts the worker's whole traceback in the message
        last = text.rstrip().splitlines()[-1]
        return last.partition(': ')[2] or last
    # Torch says so wherever the process happens to be, perhaps where errors are caught.
    worker = next(filter(None, (_WORKER.search(str(link)) for link in _chain(error))), None)
    if worker:
        how = worker['how'].split('.')[0].strip()
        return (
            f'a data worker died ({how}); if memory ran out, lower num_workers of '
            'train_dataloader or the batch size'
        )
    if isinstance(error, torch.OutOfMemoryError):
        return (
            'the memory of the device is full; lower the batch size, or see the README for '
            f'activation_checkpointing and accumulative_counts ({text.splitlines()[0]})'
        )
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    if distributed and isinstance(error, RuntimeError) and _LOST.search(text):
        return (
            f'process {torch.distributed.get_rank()} lost the others; what ended the first of '
            f'them stands in its own output ({text.splitlines()[0]})'
        )
    if isinstance(error, OSError | ValueError | MemoryError):
        return ' '.join(text.split()) or type(error).__name__
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it followed from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def report(error: BaseException, work_dir: str, log_dir: str) -> str | None:
    """Explain an error, keep its traceback in a file and name the way on.

    Args:
        error: What ended the training.
        work_dir: Folder of the run, with its checkpoints.
        log_dir: Folder of the logs, into which ``traceback.txt`` is written.

    Returns:
        The explanation; None for what must be a mistake in the code.
    """
    sentence = explain(error)
    if sentence is None:
        return None
    path = Path(log_dir, 'traceback.txt')
    try:
        path.write_text(''.join(traceback.format_exception(error)), encoding='utf-8')
        sentence += f' (traceback in {path})'
    except OSError:  # the disk may be what failed
        pass
    if checkpoints_of(work_dir):
        sentence += f'; --resume goes on from the checkpoints in {work_dir}'
    return sentence
