"""Processes that work for another one, and end when it ends."""

import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from typing import Any


def worker_pool(
    num_workers: int, initializer: Callable[..., object] | None = None, initargs: tuple = ()
) -> ProcessPoolExecutor:
    """Make a pool of fresh interpreters: forking a process that has threads can hang.

    Its processes end when this one is killed. Those of a plain pool wait for ever, as
    each of them holds the other end of the queue that they read.

    Args:
        num_workers: Number of processes.
        initializer: Called in each of them first.
        initargs: Its arguments.
    """
    return ProcessPoolExecutor(
        num_workers, get_context('spawn'), _start_worker, (initializer, initargs)
    )


def end_workers_with_parent(loader: Any) -> Any:
    """Let the workers of a data loader end when the process that made it is killed.

    Torch's notice that too, but then wait until somebody has read what they computed.

    Args:
        loader: A ``torch.utils.data.DataLoader`` that has not begun; it is changed in place.
    """
    loader.worker_init_fn = functools.partial(_start_data_worker, loader.worker_init_fn)
    return loader


def _start_worker(initializer: Callable[..., object] | None, initargs: tuple) -> None:
    """Begin in a process of a pool."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initializer is not None:
        initializer(*initargs)


def _start_data_worker(start: Callable[[int], Any] | None, worker_id: int) -> None:
    """Begin in a process of a data loader."""
    _start_worker(start, (worker_id,))


def _end_with_parent() -> None:
    """End this process with its parent: one left behind would write into the next run."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
