r"""Kill a training again and again, resume it, and compare with one that was left alone.

Trains once undisturbed. Then starts the same training over and over with
--resume and kills it: every other time at a random moment, the other times
while a file is being written. A training that gets to its end is compared with
the undisturbed one, weight by weight and bit by bit, and begun anew. After each
kill all files are looked at: none may be torn. Stored features belong to each
training alone, so that kills also meet their making.

    python tools/misc/kill_and_resume.py --out kills --kills 20 \
        configs/csip/stage1_walkers.py --data-root data/walkers --pretrained tower.pth

With --signal TERM the training is told to leave instead, as a cluster does; once it
has begun it must then end with exit status 75 and a checkpoint.
"""

import argparse
import contextlib
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from csipreid.arguments import output_folder, whole
from csipreid.checkpoint import read_checkpoint
from csipreid.engine.hooks.preemption_hook import EXIT_STATUS
from csipreid.engine.resuming import checkpoints_of

TRAIN = Path(__file__).resolve().parents[1] / 'train.py'
_POLL = 0.0005  # seconds between two looks at the folder

# What a training says once it listens to signals, and once it iterates.
_LISTENS = re.compile(r'Checkpoints will be saved to|Epoch\(train\)')
_ITERATES = re.compile(r'Epoch\(train\)|told to stop')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--out', type=output_folder, required=True, help='folder for both trainings, new or empty'
    )
    parser.add_argument('--kills', type=whole(0), default=20, help='how often to kill')
    parser.add_argument('--seed', type=int, default=0, help='seed of the moments')
    parser.add_argument('--signal', choices=['KILL', 'TERM'], default='KILL')
    parser.add_argument(
        'training', nargs=argparse.REMAINDER, help='config and arguments of tools/train.py'
    )
    args = parser.parse_args(argv)
    if not args.training:
        parser.error('name the config to train, and the arguments of tools/train.py')
    return args


class Victim:
    """A training to be killed.

    Args:
        command: What starts it.
        folder: A folder of its own, for its work directory and its stored features.
        log: File for its output.
    """

    def __init__(self, command: list[str], folder: Path, log: Path) -> None:
        self.work_dir = folder / 'run'
        self.log = log
        self.work_dir.mkdir(parents=True, exist_ok=True)
        self._cache = folder / 'feature_cache'  # where a run looks: beside its work directory
        self._left = self._unfinished()
        self._log_start = log.stat().st_size if log.exists() else 0
        with log.open('a', encoding='utf-8') as file:
            self.process = subprocess.Popen(
                [*command, '--work-dir', str(self.work_dir)], stdout=file, stderr=subprocess.STDOUT
            )

    def finish(self) -> None:
        """Wait for its own end.

        Raises:
            RuntimeError: If it fails.
        """
        if self.process.wait() != 0:
            tail = '\n'.join(self.log.read_text(encoding='utf-8').splitlines()[-15:])
            raise RuntimeError(f'the training ended with {self.process.returncode}:\n{tail}')

    def kill(self, number: signal.Signals, delay: float, while_writing: bool) -> bool:
        """Send a signal after a delay and perhaps at the next write; tell whether it met it."""
        deadline = time.monotonic() + delay
        while self.process.poll() is None:
            if time.monotonic() >= deadline and not (while_writing and not self.writes()):
                self.process.send_signal(number)
                break
            time.sleep(_POLL)
        else:
            self.finish()
            return False
        status = self.process.wait()
        if number == signal.SIGTERM and status not in (0, EXIT_STATUS, -signal.SIGTERM):
            self.finish()  # raises
        return status != 0

    def check_leaving(self, last: str) -> None:
        """Check how it ended when it was told to leave.

        Args:
            last: Name of the checkpoint at the end of the whole training.

        Raises:
            ValueError: If it did not heed the signal, or saved nothing.
        """
        with self.log.open('rb') as file:
            file.seek(self._log_start)
            said = file.read().decode(errors='replace')
        done = [path.name for path in checkpoints_of(self.work_dir)[:1]]
        if self.process.returncode == EXIT_STATUS:
            # Told before the first iteration, it has nothing to save.
            if _ITERATES.search(said) and not done:
                raise ValueError(f'the training left with {EXIT_STATUS}, but without a checkpoint')
        # It listens before the first of these lines, and after its end no longer.
        elif _LISTENS.search(said) and done != [last]:
            raise ValueError('the training was ended by SIGTERM, which it should have heeded')

    def writes(self) -> bool:
        """Tell whether a file is being written, other than those that an earlier kill left."""
        return bool(self._unfinished() - self._left)

    def check_tidiness(self) -> None:
        """Check that the run removed or finished all files of its work directory.

        Raises:
            ValueError: If unfinished ones are left.
        """
        if self.writes() or any(self.work_dir.glob('*.partial')):
            raise ValueError(f'unfinished files are left in {self.work_dir.parent}')

    def _unfinished(self) -> set[tuple[Path, int]]:
        """Return the files that are not whole, with the times of their last change."""
        found = set()
        for path in (*self.work_dir.glob('*.partial'), *self._cache.glob('*/*.partial')):
            with contextlib.suppress(FileNotFoundError):  # it is whole by now
                found.add((path, path.stat().st_mtime_ns))
        return found


def check_files(folder: Path) -> int:
    """Read all that a training has written; return how many files there are.

    Raises:
        ValueError: If one is torn.
    """
    count = 0
    for path in sorted(folder.rglob('*')):
        if path.suffix == '.pth':
            read_checkpoint(path)
        elif path.name == 'last_checkpoint':
            if not Path(path.read_text(encoding='utf-8')).is_file():
                raise ValueError(f'{path} names a file that does not exist')
        elif path.suffix in ('.npy', '.npz'):
            _check_arrays(path)
        elif path.name == 'about.json':  # of stored features
            json.loads(path.read_text(encoding='utf-8'))
        elif path.suffix == '.json':
            for line in path.read_text(encoding='utf-8').splitlines():
                json.loads(line)
        count += path.is_file()
    return count


def _check_arrays(path: Path) -> None:
    """Read all arrays of a file.

    Raises:
        ValueError: If it is torn.
    """
    try:
        arrays = np.load(path)
        if isinstance(arrays, np.lib.npyio.NpzFile):
            with arrays:
                for name in arrays.files:
                    arrays[name]
    except Exception as error:  # a torn archive breaks zipfile and NumPy in a dozen ways
        raise ValueError(f'{path} cannot be read: {error}') from error


def differences(first: Path, second: Path) -> list[str]:
    """Name the weights that are not the same, bit by bit, at the ends of two runs."""
    a, b = (read_checkpoint(checkpoints_of(path)[0])['state_dict'] for path in (first, second))
    return [name for name in a.keys() | b.keys() if not _same(a.get(name), b.get(name))]


def _same(a: torch.Tensor | None, b: torch.Tensor | None) -> bool:
    """Tell whether two tensors are there and equal."""
    return a is not None and b is not None and torch.equal(a, b)


def main() -> None:
    """Run the undisturbed training, then the others."""
    args = parse_args()
    moments = random.Random(args.seed)
    number = signal.Signals[f'SIG{args.signal}']
    command = [sys.executable, str(TRAIN), *args.training]
    whole, killed = args.out / 'whole', args.out / 'killed'
    if args.out.exists() and not (args.out.is_dir() and not any(args.out.iterdir())):
        sys.exit(f'error: --out {args.out} is there already; name a folder that is new or empty')
    args.out.mkdir(parents=True, exist_ok=True)

    kills = writes = ends = 0
    try:
        start = time.monotonic()
        undisturbed = Victim(command, whole, args.out / 'whole.log')
        undisturbed.finish()
        seconds = time.monotonic() - start
        print(f'undisturbed: {seconds:.0f} s', flush=True)
        last = checkpoints_of(undisturbed.work_dir)[0].name

        while kills < args.kills or ends == 0:
            victim = Victim([*command, '--resume'], killed, args.out / 'killed.log')
            if kills == args.kills:
                victim.finish()
                met = False
            else:
                while_writing = kills % 2 == 1
                met = victim.kill(number, moments.uniform(0, seconds), while_writing)
            if met:
                kills += 1
                if number == signal.SIGTERM:
                    victim.check_leaving(last)
                torn = victim.writes()
                writes += torn
                done = [path.name for path in checkpoints_of(victim.work_dir)[:1]]
                files = check_files(killed)
                print(
                    f'kill {kills}: farthest checkpoint {"".join(done) or "none"}'
                    f'{", within a write" if torn else ""}; {files} files, none torn',
                    flush=True,
                )
                continue
            wrong = differences(undisturbed.work_dir, victim.work_dir)
            if wrong:
                raise ValueError(f'{len(wrong)} weights differ, such as {wrong[:3]}')
            victim.check_tidiness()
            ends += 1
            print(f'end {ends}: the weights are those of the undisturbed training', flush=True)
            if kills < args.kills:
                shutil.rmtree(killed)
    except (RuntimeError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(f'{kills} kills, {writes} of them within a write; {ends} trainings ended, all equal')


if __name__ == '__main__':
    main()
