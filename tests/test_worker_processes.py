"""No process is left behind by one that was killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
POOL = """
import os, sys, time
from csipreid.worker_processes import worker_pool

def sleep(seconds):
    print(os.getpid(), flush=True)
    time.sleep(seconds)

if __name__ == '__main__':
    with worker_pool(2, print, ('begins',)) as pool:
        list(pool.map(sleep, [0.5, 600]))
"""
LOADER = """
import os, time
import numpy as np
from torch.utils.data import DataLoader, Dataset
from csipreid.worker_processes import end_workers_with_parent

class Large(Dataset):
    def __len__(self):
        return 1000

    def __getitem__(self, index):
        return np.zeros(10**6)  # fills the pipe that nobody reads

def say(worker):
    print('begins', os.getpid(), sep='\\n', flush=True)

if __name__ == '__main__':
    loader = DataLoader(Large(), num_workers=2, collate_fn=list, worker_init_fn=say)
    batches = iter(end_workers_with_parent(loader))
    next(batches)
    time.sleep(600)
"""


def is_alive(pid):
    """Whether a process runs; one that nobody has asked for its end does not."""
    try:
        return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='looks into /proc')
@pytest.mark.parametrize('script', [POOL, LOADER], ids=['pool', 'loader'])
def test_workers_end_with_a_process_that_was_killed(script, tmp_path):
    path = tmp_path / 'script.py'
    path.write_text(script)
    environment = os.environ | dict(PYTHONPATH=str(ROOT))
    process = subprocess.Popen(
        [sys.executable, str(path)], stdout=subprocess.PIPE, text=True, env=environment
    )
    lines = [process.stdout.readline().strip() for _ in range(4)]
    workers = {int(line) for line in lines if line != 'begins'}
    assert lines.count('begins') == 2  # what else they begin with is done
    assert len(workers) == 2
    time.sleep(1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    end = time.monotonic() + 20
    while any(map(is_alive, workers)) and time.monotonic() < end:
        time.sleep(0.1)
    left = [pid for pid in workers if is_alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []
