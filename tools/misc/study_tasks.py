"""Commands of a study: run in order of what they need, and never twice."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

_LAST_LINES = 15  # of a log, shown with an error
# Looked up before any process is forked; there is none on other systems than Linux.
_LIBC = ctypes.CDLL(None) if sys.platform == 'linux' else None
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Task:
    """Something to do once.

    Args:
        name: What it is called.
        needs: Names of the tasks that must have succeeded.
        action: Does it; raises RuntimeError if it fails.
    """

    name: str
    needs: tuple[str, ...]
    action: Callable[[], None]


def run_command(command: Iterable[str | Path], log: Path, threads: int) -> dict[str, float]:
    """Run a command; its output is added to a log file.

    Where the system can do so (Linux), the command ends when this process is killed, so
    that the next study does not meet it.

    Args:
        command: Program and arguments.
        log: File for what it prints.
        threads: Threads that its arithmetic may use.

    Returns:
        ``seconds`` of wall time, ``cpu_seconds``, and ``peak_gb``, the memory of its largest
        process (Linux counts at least the memory of this one, which it was forked from).

    Raises:
        RuntimeError: If it fails, with the end of the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, 'OMP_NUM_THREADS': str(threads)}
    start = time.perf_counter()
    with log.open('a', encoding='utf-8') as file:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            preexec_fn=None if _LIBC is None else _die_with_parent,
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        lines = log.read_text(encoding='utf-8', errors='replace').splitlines()[-_LAST_LINES:]
        raise RuntimeError('\n'.join([f'the whole output is in {log}', *lines]))
    unit = 1e9 if sys.platform == 'darwin' else 1e6  # bytes there, kB elsewhere
    return dict(
        seconds=round(time.perf_counter() - start, 1),
        cpu_seconds=round(usage.ru_utime + usage.ru_stime, 1),
        peak_gb=round(usage.ru_maxrss / unit, 2),
    )


def run_tasks(
    tasks: Iterable[Task], jobs: int, report: Callable[[Task, str | None], None]
) -> dict[str, str]:
    """Run tasks side by side, each after those it needs.

    Args:
        tasks: The tasks; those that come first are preferred.
        jobs: How many at a time.
        report: Called as each ends, with what went wrong or None.

    Returns:
        What went wrong, by the name of the task; one whose needs failed is named too.
    """
    waiting = {task.name: task for task in tasks}
    running: dict[Future, Task] = {}
    done: set[str] = set()
    failed: dict[str, str] = {}
    with ThreadPoolExecutor(jobs) as pool:
        while waiting or running:
            for task in list(waiting.values()):
                broken = [need for need in task.needs if need in failed]
                if broken:
                    failed[task.name] = f'not run, because {broken[0]} failed'
                    report(waiting.pop(task.name), failed[task.name])
                elif len(running) < jobs and done.issuperset(task.needs):
                    running[pool.submit(task.action)] = waiting.pop(task.name)
            if not running:
                continue  # those that need a failed one are named in the next round
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                task = running.pop(future)
                error = future.exception()
                if error is None:
                    done.add(task.name)
                    report(task, None)
                else:
                    failed[task.name] = f'{error}'
                    report(task, failed[task.name])
    return failed


def _die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == '__main__':
    print('usage: python tools/misc/run_study.py --help; this file is a part of it')
