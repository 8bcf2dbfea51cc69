"""What the benchmark measures with: time in turns, peak memory, operations."""

import gc
import multiprocessing
import multiprocessing.connection
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import (
    FlopCounterMode,
    sdpa_backward_flop_count,
    sdpa_flop_count,
)

_STATUS, _CLEAR = Path('/proc/self/status'), Path('/proc/self/clear_refs')
# Blocks from this size are given back to the system when they are freed (glibc), so that the
# resident size says what is in use and not what once was.
_MALLOC = dict(MALLOC_MMAP_THRESHOLD_='1048576', MALLOC_TRIM_THRESHOLD_='1048576')


def in_turn(
    jobs: Mapping[str, Callable[[], object]], rounds: int, device: str = 'cpu'
) -> dict[str, list[float]]:
    """Time jobs one after the other, round by round, so that all see the same machine.

    A first round warms up and does not count.

    Args:
        jobs: What to time, by name.
        rounds: Measurements of each.
        device: Whose work has to be waited for.

    Returns:
        Seconds of each measurement.
    """
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(rounds + 1):
        for name, job in jobs.items():
            wait_for(device)
            start = time.perf_counter()
            job()
            wait_for(device)
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def wait_for(device: str) -> None:
    """Wait until a device has done what it was given."""
    kind = torch.device(device).type
    if kind != 'cpu':
        torch.get_device_module(kind).synchronize()


def compare(
    ours: list[float], without: list[float], peak_mb: float | None = None, **more: Any
) -> dict[str, Any]:
    """Make one item of the report.

    Args:
        ours: Seconds of our default, round by round.
        without: Seconds in the same rounds with the measure switched off.
        peak_mb: Peak memory of our default, MB, if it was measured.
        **more: Further numbers.

    Returns:
        Medians ``ours`` and ``without`` and the median of the rounds' ratios: the two halves of
        a round saw the same machine, two rounds may not have.
    """
    ratios = [a / b for a, b in zip(ours, without, strict=True)]
    return dict(
        ours=statistics.median(ours),
        without=statistics.median(without),
        ratio=statistics.median(ratios),
        peak_mb=peak_mb,
        **more,
    )


def count_flops(job: Callable[[], object]) -> int:
    """Count the operations of the matrix products of a job; a multiply-add is two."""
    aten = torch.ops.aten
    unknown_to_torch = {
        aten.addmm_: _addmm_flops,
        aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops,
        aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward_flops,
    }
    with FlopCounterMode(display=False, custom_mapping=unknown_to_torch) as counter:
        job()
    return counter.get_total_flops()


def _addmm_flops(_: Sequence[int], left: Sequence[int], right: Sequence[int], **kwargs: Any) -> int:
    """Count a product of matrices by their shapes."""
    return 2 * left[0] * left[1] * right[1]


def _attention_flops(*shapes: Sequence[int], **kwargs: Any) -> int:
    """Count fused attention by the shapes of query, key and value."""
    return sdpa_flop_count(*shapes[:3])


def _attention_backward_flops(*shapes: Sequence[int], **kwargs: Any) -> int:
    """Count its backward pass, which computes the map again; the gradient's shape comes first."""
    return sdpa_backward_flop_count(*shapes[:4])


def peak_memory(prepare: Callable[..., Callable[[], object]], *args: Any, device: str) -> float:
    """Return the memory that a job needs beyond what it keeps, MB.

    On the CPU a fresh process prepares the job, runs it once to warm up, and then compares the
    largest resident size during a second run with the size before it. On another device it is
    the largest amount that torch had allocated, less what was allocated before.

    Args:
        prepare: Module-level function that makes the job from ``args``.
        *args: Its arguments; they can be pickled.
        device: Device of the job.

    Raises:
        RuntimeError: If the process ends without a result.
    """
    context = multiprocessing.get_context('spawn')
    receiver, sender = context.Pipe(duplex=False)
    before = {name: os.environ.get(name) for name in _MALLOC}
    os.environ.update(_MALLOC)
    try:
        process = context.Process(target=_measure_peak, args=(sender, device, prepare, args))
        process.start()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        process.join()
        raise RuntimeError(
            f'measuring the memory of {prepare.__name__} ended with exit status '
            f'{process.exitcode}; is the memory of the machine enough?'
        ) from None
    finally:
        process.join()


def _measure_peak(
    pipe: multiprocessing.connection.Connection,
    device: str,
    prepare: Callable[..., Callable[[], object]],
    args: tuple,
) -> None:
    """Run a job twice and send the peak of the second run."""
    job = prepare(*args)
    job()
    gc.collect()
    kind = torch.device(device).type
    if kind == 'cpu':
        pipe.send(_resident_peak(job))
        return
    memory = torch.get_device_module(kind)
    memory.synchronize()
    memory.reset_peak_memory_stats()
    before = memory.memory_allocated()
    job()
    memory.synchronize()
    pipe.send((memory.max_memory_allocated() - before) / 1e6)


def _resident_peak(job: Callable[[], object]) -> float:
    """Return by how much the resident size of this process grows at most, MB; NaN if unknown."""
    if not _CLEAR.exists():  # only Linux can forget the peak of the warm-up
        return float('nan')
    _CLEAR.write_text('5', encoding='ascii')  # sets the peak to the present size
    before = _resident('VmRSS')
    job()
    return (_resident('VmHWM') - before) / 1e6


def _resident(name: str) -> float:
    """Return a size from the process's status, bytes."""
    for line in _STATUS.read_text(encoding='ascii').splitlines():
        if line.startswith(name + ':'):
            return 1024.0 * int(line.split()[1])
    return float('nan')
