"""Checkpoints that a run left behind, and how far each of them is."""

import re
from pathlib import Path

_NAME = re.compile(r'(?P<unit>epoch|iter|preempted_iter)_(?P<count>\d+)\.pth')

PREEMPTED = 'preempted_iter_{}.pth'  # name of what is written on the way out


def checkpoints_of(work_dir: str | Path, epoch_length: int = 1) -> list[Path]:
    """List the checkpoints from which a run can be resumed, the farthest first.

    Their names tell: ``epoch_E.pth``, ``iter_N.pth`` and ``preempted_iter_N.pth``.
    Whether they are whole is not looked at.

    Args:
        work_dir: Folder of the run; it may be absent.
        epoch_length: Iterations of an epoch, to compare epochs with iterations.
    """
    found = []
    folder = Path(work_dir)
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match:
            is_epoch = match['unit'] == 'epoch'
            done = int(match['count']) * (epoch_length if is_epoch else 1)
            found.append((done, is_epoch, path))
    return [path for _, _, path in sorted(found, reverse=True)]


def remove_preempted(work_dir: str | Path, epoch_length: int) -> None:
    """Remove what was written on the way out if an epoch's checkpoint is as far."""
    paths = checkpoints_of(work_dir, epoch_length)
    epochs = [place for place, path in enumerate(paths) if path.name.startswith('epoch_')]
    for path in paths[epochs[0] :] if epochs else ():
        if path.name.startswith('preempted_'):
            path.unlink(missing_ok=True)


def remove_partial(work_dir: str | Path) -> None:
    """Remove files that a killed run was writing."""
    for path in Path(work_dir).glob('*.partial'):
        path.unlink(missing_ok=True)
