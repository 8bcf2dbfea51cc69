"""What ended a run, in one sentence for people."""

import re
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import torch
from torch import distributed

from csipreid.engine.resuming import checkpoints_of

# What files, disks and memory do; all else is a mistake in the code.
_NOT_OUR_MISTAKE = (OSError, ValueError, MemoryError)

# What is wrong with a config besides, once it is checked: libraries that are not there, and
# values that a library does not take.
_OF_CONFIGS = (*_NOT_OUR_MISTAKE, ImportError, KeyError, TypeError, AssertionError)

# Where code lies that is not a user's.
_LIBRARIES = tuple(sysconfig.get_path(name) for name in ('stdlib', 'purelib', 'platlib'))
_OURS = (str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / 'tools'))

# How torch says that a data worker or another process is gone. Errors of NCCL and of the
# store have types of their own; those of gloo begin with a line of its source.
_WORKER = re.compile(r'DataLoader worker \(pid\(?s?\)? [\d, ]+\) (?P<how>.*)', re.DOTALL)
_LOST = re.compile(
    r'gloo/\S+\.(cc|h):\d+|connection (closed|reset|refused)|broken pipe', re.IGNORECASE
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
        if not isinstance(error, _NOT_OUR_MISTAKE):
            return None
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
            f'activation_checkpointing and accumulative_counts ({_first_line(error)})'
        )
    if _rank() is not None and _is_loss(error):
        return (
            f'process {_rank()} lost the others; what ended the first of them stands in its own '
            f'output ({_first_line(error)})'
        )
    if in_users_code(error) and not isinstance(error, OSError | MemoryError):
        return None
    if isinstance(error, (*_NOT_OUR_MISTAKE, ImportError)):
        return ' '.join(text.split()) or type(error).__name__
    return None


def explain_building(error: Exception) -> str:
    """Say why a runner could not be built: a sentence, or for a mistake in code the traceback."""
    if in_users_code(error) or not isinstance(error, _OF_CONFIGS):
        return ''.join(traceback.format_exception(error))
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    return f'error: {" ".join(str(text).split()) or type(error).__name__}'


def in_users_code(error: BaseException) -> bool:
    """Tell whether an error comes from code that is neither a library's nor ours."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    files = [f for f in files if not f.startswith(('<', *_LIBRARIES))]
    return bool(files) and not str(Path(files[-1]).absolute()).startswith(_OURS)


def _rank() -> int | None:
    """Return the number of this process; None if it is alone."""
    there = distributed.is_available() and distributed.is_initialized()
    return distributed.get_rank() if there else None


def _is_loss(error: BaseException) -> bool:
    """Tell whether an error says that another process is gone."""
    if isinstance(error, distributed.DistError):
        return True
    return isinstance(error, RuntimeError) and _LOST.search(str(error)) is not None


def _first_line(error: BaseException) -> str:
    """Return the first line of a message, or the kind of error if it says nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)


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
        log_dir: Folder of the logs, into which ``traceback.txt`` is written; with
            several processes ``traceback_rankN.txt``, as each has its own.

    Returns:
        The explanation; None for what must be a mistake in the code.
    """
    sentence = explain(error)
    if sentence is None:
        return None
    rank = _rank()
    path = Path(log_dir, 'traceback.txt' if rank is None else f'traceback_rank{rank}.txt')
    try:
        path.write_text(''.join(traceback.format_exception(error)), encoding='utf-8')
        sentence += f' (traceback in {path})'
    except OSError:  # the disk may be what failed
        pass
    if checkpoints_of(work_dir):
        sentence += f'; --resume goes on from the checkpoints in {work_dir}'
    return sentence


def fail(text: str) -> NoReturn:
    """Say why a command fails, and end it with exit status 1.

    The text is written at once: a process that leaves the others may be held up
    before its interpreter ends, which is when ``sys.exit`` would write it.
    """
    sys.stderr.write(f'{text.rstrip()}\n')
    sys.stderr.flush()
    sys.exit(1)
