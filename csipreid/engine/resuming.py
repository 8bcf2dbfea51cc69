"""Checkpoints that a run left behind, and how far each of them is."""

import json
import re
from pathlib import Path

from csipreid.checkpoint import put_in_place

_EARLIER = 'earlier_checkpoints.json'
_NAME = re.compile(r'(?P<unit>epoch|iter|preempted_iter)_(?P<count>\d+)\.pth')

PREEMPTED = 'preempted_iter_{}.pth'  # name of what is written on the way out


def checkpoints_of(work_dir: str | Path, epoch_length: int = 1) -> list[Path]:
    """List the checkpoints from which a run can be resumed, the farthest first.

    Their names tell: ``epoch_E.pth``, ``iter_N.pth`` and ``preempted_iter_N.pth``.
    Whether they are whole is not looked at. Those of an earlier run in the same
    folder are left out; see :func:`begin_run`.

    Args:
        work_dir: Folder of the run; it may be absent.
        epoch_length: Iterations of an epoch, to compare epochs with iterations.
    """
    found = []
    folder = Path(work_dir)
    earlier = _read_earlier(folder)
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match and earlier.get(path.name) != _stamp(path):
            is_epoch = match['unit'] == 'epoch'
            done = int(match['count']) * (epoch_length if is_epoch else 1)
            found.append((done, is_epoch, path))
    return [path for _, _, path in sorted(found, reverse=True)]


def begin_run(work_dir: str | Path, resumed: str | Path | None = None) -> list[str]:
    """Note which checkpoints of a folder the run that begins now did not write.

    Without that, a run that is interrupted early would be resumed from a
    checkpoint that an earlier, longer run left in the same folder. They are noted
    by name, size and time, in ``earlier_checkpoints.json``; a checkpoint that is
    written over counts again.

    Args:
        work_dir: Folder of the run.
        resumed: Checkpoint that the run goes on from, if it does.

    Returns:
        Names of the checkpoints that have not been left out before.
    """
    folder = Path(work_dir)
    own = Path(resumed).resolve() if resumed is not None else None
    found = [path for path in checkpoints_of(folder) if path.resolve() != own]
    if found:
        earlier = _read_earlier(folder) | {path.name: _stamp(path) for path in found}
        partial = folder / f'{_EARLIER}.partial'
        partial.write_text(json.dumps(earlier, indent=2) + '\n', encoding='utf-8')
        put_in_place(partial, folder / _EARLIER)
    return [path.name for path in found]


def _read_earlier(folder: Path) -> dict[str, list[int]]:
    """Return name and stamp of the checkpoints that earlier runs left.

    Raises:
        ValueError: If the note is not what a run wrote.
    """
    path = folder / _EARLIER
    if not path.exists():
        return {}
    try:
        earlier = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError):
        earlier = None
    if not isinstance(earlier, dict):
        raise ValueError(
            f'{path} is not the note of earlier checkpoints that a run writes; remove it, and with '
            'it the checkpoints in the folder that are not of the run to go on with'
        )
    return earlier


def _stamp(path: Path) -> list[int]:
    """Return size and time of a file, which change when it is written again."""
    state = path.stat()
    return [state.st_size, state.st_mtime_ns]


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
