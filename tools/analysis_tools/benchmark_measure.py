"""What the benchmark measures with: time in turns, peak memory, operations."""

import gc
import multiprocessing
import multiprocessing.connection
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
    if kind == 'mps':  # there is one of them, so that its function takes no device
        torch.mps.synchronize()
    elif kind != 'cpu':
        torch.get_device_module(kind).synchronize(device)


def compare(
    ours: list[float], without: list[float], peak_mb: float | None = None, **more: Any
) -> dict[str, Any]:
    """Make one item of the report.

    Args:
        ours: Seconds of our default, round by round.
        without: Seconds in the same rounds with the measure switched off.
        peak_mb: Peak memory of our default, MB, if it was measured; see :class:`Peak`.
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


def speed(
    ours: list[float], machine: list[float], flops: int, machine_flops: int
) -> dict[str, float]:
    """Compare the operations of a second with those of plain matrix products.

    Args:
        ours: Seconds of the job, round by round.
        machine: Seconds of the products in the same rounds.
        flops: Operations of the job.
        machine_flops: Operations of the products.

    Returns:
        ``gflops`` and ``machine_gflops``, 10^9 operations a second, and the median of the
        rounds' ratios, ``share_of_machine``.
    """
    shares = [
        (flops / own) / (machine_flops / plain) for own, plain in zip(ours, machine, strict=True)
    ]
    return dict(
        gflops=flops / statistics.median(ours) / 1e9,
        machine_gflops=machine_flops / statistics.median(machine) / 1e9,
        share_of_machine=statistics.median(shares),
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


class Peak(NamedTuple):
    """Largest memory during a job, MB; None where the system does not tell.

    Attributes:
        extra: What the job needs beyond what was held before it. Of a training step that
            is all that grows with the batch; weights, the optimiser's state and the
            gradients of the step before, if they are still there, are left out.
        total: All that is held: by the process, or by torch on another device than the CPU.
    """

    extra: float | None
    total: float | None


def compare_peaks(ours: Peak, without: Peak) -> dict[str, float | None]:
    """Make the part of an item that is about memory; the ratio is that of ``extra``."""
    ratio = None
    if ours.extra is not None and without.extra:
        ratio = ours.extra / without.extra
    return dict(
        peak_mb=ours.extra,
        peak_mb_without=without.extra,
        memory_ratio=ratio,
        peak_total_mb=ours.total,
        peak_total_mb_without=without.total,
    )


def peak_memory(prepare: Callable[..., Callable[[], object]], *args: Any, device: str) -> Peak:
    """Return the memory that a job needs.

    A fresh process prepares the job and runs it once to warm up; the second run is measured:
    on the CPU the resident size of the process, on another device what torch has allocated.

    Args:
        prepare: Module-level function that makes the job from ``args``.
        *args: Its arguments; they can be pickled.
        device: Device of the job.

    Raises:
        RuntimeError: If the process ends without a result.
    """
    before = {name: os.environ.get(name) for name in _MALLOC}
    os.environ.update(_MALLOC)
    try:
        return in_fresh_process(_measure_peak, device, prepare, args)
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def in_fresh_process(function: Callable[..., Any], *args: Any) -> Any:
    """Return what a module-level function gives in a process of its own.

    Raises:
        RuntimeError: If the process ends without a result.
    """
    context = multiprocessing.get_context('spawn')
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, function, args))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        process.join()
        called = ', '.join(getattr(arg, '__name__', repr(arg)) for arg in args)
        raise RuntimeError(
            f'{function.__name__}({called}) ended with exit status {process.exitcode}; is the '
            'memory of the machine enough?'
        ) from None
    finally:
        process.join()


def _send(
    pipe: multiprocessing.connection.Connection, function: Callable[..., Any], args: tuple
) -> None:
    """Send a result to the process that started this one."""
    pipe.send(function(*args))


def _measure_peak(device: str, prepare: Callable[..., Callable[[], object]], args: tuple) -> Peak:
    """Run a job twice and return the peak of the second run."""
    job = prepare(*args)
    job()
    gc.collect()
    kind = torch.device(device).type
    if kind == 'cpu':
        return _resident_peak(job)
    memory = torch.get_device_module(kind)
    if not hasattr(memory, 'reset_peak_memory_stats'):
        return Peak(None, None)
    wait_for(device)
    memory.reset_peak_memory_stats(device)
    before = memory.memory_allocated(device)
    job()
    wait_for(device)
    most = memory.max_memory_allocated(device)
    return Peak((most - before) / 1e6, most / 1e6)


def _resident_peak(job: Callable[[], object]) -> Peak:
    """Run a job and return the peak of the resident size of this process."""
    try:
        _CLEAR.write_text('5', encoding='ascii')  # sets the peak to the present size
    except OSError:  # only Linux can forget the peak of the warm-up
        return Peak(None, None)
    before = _resident('VmRSS')
    job()
    most = _resident('VmHWM')
    if before is None or most is None:
        return Peak(None, None)
    return Peak((most - before) / 1e6, most / 1e6)


def _resident(name: str) -> float | None:
    """Return a size from the process's status, bytes."""
    for line in _STATUS.read_text(encoding='ascii').splitlines():
        if line.startswith(name + ':'):
            return 1024.0 * int(line.split()[1])
    return None


if __name__ == '__main__':
    print('usage: python tools/analysis_tools/benchmark.py --help; this file is a part of it')
