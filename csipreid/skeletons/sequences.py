"""Files of skeleton sequences without frames: our own ``.npz`` and the folders of TranSG.

The ``.npz`` holds either

- ``skeletons`` (N, V, 3), ``pid`` (N,) and ``sequence`` (N,), a number of the sequence that each
  frame belongs to; the frames of a sequence follow one another in the order of time; or
- ``skeletons`` (S, T, V, 3) and ``pid`` (S,),

and, if known, ``camid`` or ``view`` of the same length (from 0, -1 unknown) and the name of the
``layout``. Coordinates are in metres, identities whole numbers from 0.

A folder of TranSG (github.com/Kali-Hac/TranSG) holds ``source_{x,y,z}_<SET>_<T>.npy`` (for tests
with ``t_`` in front), one coordinate of S sequences of T skeletons each, and
``frame_id_<SET>_<T>.npy``, their identities. The pickled ``ids_*.npy`` beside them says the same
again and is not opened.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

_LARGEST = 50.0  # metres that no body measures


@dataclass(frozen=True)
class SkeletonTable:
    """Skeletons of S sequences, one sequence behind the other.

    Args:
        skeletons: Joint positions, metres, float32, (N, V, 3).
        starts: Row at which each sequence begins, ascending from 0, then N; int64, (S + 1,).
        pid: Identity of each sequence, int64, (S,).
        camid: Camera of each sequence from 0, -1 unknown; int64, (S,).
    """

    skeletons: np.ndarray
    starts: np.ndarray
    pid: np.ndarray
    camid: np.ndarray

    def __len__(self) -> int:
        return len(self.pid)


def read_sequences(
    path: str, layout: str, num_joints: int, joint_order: Sequence[int] | None = None
) -> SkeletonTable:
    """Read sequences from an ``.npz`` of ours or from a folder of TranSG.

    Nothing is unpickled.

    Args:
        path: File or folder.
        layout: Name of the layout that the skeletons must have.
        num_joints: Number of its joints V.
        joint_order: Place in the file of each joint of the layout, (V,); None if as stored.

    Raises:
        FileNotFoundError: If there is no such file or folder, or a part of it is missing.
        ValueError: If it is broken or of another layout or unit.
    """
    if os.path.isdir(path):
        table = _read_transg(Path(path), num_joints)
    elif os.path.isfile(path):
        table = _read_npz(path, layout)
    else:
        raise FileNotFoundError(
            f'{path} not found; name an .npz of skeleton sequences or a folder of TranSG'
        )
    return _checked(table, path, layout, num_joints, joint_order)


def write_sequences(
    path: str | Path,
    sequences: Sequence[np.ndarray],
    pids: Sequence[int],
    layout: str,
    camids: Sequence[int] | None = None,
) -> None:
    """Write an ``.npz`` of sequences under a temporary name, then rename it.

    Args:
        path: The file; its folder is made.
        sequences: S arrays of metres, float, (T, V, 3) each; T may differ.
        pids: Identity of each.
        layout: Name of their layout.
        camids: Camera of each from 0; None if unknown.

    Raises:
        ValueError: If there is no sequence.
    """
    if not len(sequences):
        raise ValueError(f'there is no sequence to write to {path}')
    lengths = [len(sequence) for sequence in sequences]
    arrays: dict[str, Any] = dict(
        skeletons=np.concatenate(sequences).astype(np.float32),
        pid=np.repeat(np.asarray(pids, np.int64), lengths),
        sequence=np.repeat(np.arange(len(lengths)), lengths),
        layout=np.array(layout),
    )
    if camids is not None:
        arrays['camid'] = np.repeat(np.asarray(camids, np.int64), lengths)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'{path.name}.partial')
    try:
        with partial.open('wb') as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _read_npz(path: str, layout: str) -> SkeletonTable:
    """Read our own file."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except Exception as error:  # torn and foreign files break numpy in a dozen ways
        raise ValueError(
            f'{path} is no plain .npz of skeleton sequences ({type(error).__name__}); write it '
            'with numpy.savez from arrays of numbers'
        ) from error
    missing = {'skeletons', 'pid'} - set(arrays)
    if missing:
        raise ValueError(f'{path} has no {" and no ".join(sorted(missing))}')
    stored = str(arrays['layout']) if 'layout' in arrays else layout
    if stored != layout:
        raise ValueError(f'{path} holds skeletons of layout {stored!r}, the config says {layout!r}')
    skeletons = arrays['skeletons']
    if skeletons.ndim == 4 and len(skeletons):
        starts = np.arange(len(skeletons) + 1) * skeletons.shape[1]
        skeletons = skeletons.reshape(-1, *skeletons.shape[2:])
        rows, expected = np.arange(len(starts) - 1), len(starts) - 1
    elif skeletons.ndim == 3 and len(skeletons):
        numbers = _numbers(arrays, 'sequence', len(skeletons), path)
        rows = np.flatnonzero(np.r_[True, numbers[1:] != numbers[:-1]])
        starts, expected = np.r_[rows, len(skeletons)], len(skeletons)
        if len(np.unique(numbers)) < len(rows):
            raise ValueError(f'{path}: the frames of a sequence must follow one another')
    else:
        raise ValueError(
            f'{path}: skeletons must be (N, V, 3) or (S, T, V, 3) and not empty, got '
            f'{skeletons.shape}'
        )
    pid = _numbers(arrays, 'pid', expected, path)
    camera = next((key for key in ('camid', 'view') if key in arrays), None)
    camid = np.full(expected, -1) if camera is None else _numbers(arrays, camera, expected, path)
    for name, values in (('pid', pid), (camera, camid)):
        if (
            expected == len(skeletons)
            and (np.repeat(values[rows], np.diff(starts)) != values).any()
        ):
            raise ValueError(f'{path}: a sequence has more than one {name}')
    return SkeletonTable(skeletons, starts, pid[rows], camid[rows])


def _numbers(arrays: dict[str, np.ndarray], key: str, length: int, path: str) -> np.ndarray:
    """Return a column of whole numbers, int64, (length,)."""
    if key not in arrays:
        raise ValueError(f'{path} has no {key}, one number for each frame')
    values = arrays[key]
    if values.shape != (length,) or values.dtype.kind not in 'iu':
        raise ValueError(
            f'{path}: {key} must be {length} whole numbers, got {values.dtype} of shape '
            f'{values.shape}'
        )
    return values.astype(np.int64)


def _read_transg(folder: Path, num_joints: int) -> SkeletonTable:
    """Read a folder of TranSG."""
    pid = _read_npy(_only(folder, 'frame_id_*.npy')).ravel()
    if pid.dtype.kind not in 'iu' or not len(pid):
        raise ValueError(f'{folder}: frame_id must hold whole numbers, got {pid.dtype} {pid.shape}')
    columns = []
    for axis in 'xyz':
        path = _only(folder, f'*source_{axis}_*.npy')
        values = _read_npy(path)
        if (
            values.dtype.kind not in 'fiu'
            or not values.size
            or values.size % (len(pid) * num_joints)
        ):
            raise ValueError(
                f'{path} must hold {len(pid)} sequences (frame_id) of skeletons of {num_joints} '
                f'joints, got {values.dtype} of shape {values.shape}; is it another layout?'
            )
        columns.append(values.reshape(-1, num_joints).astype(np.float32))
    if len({column.shape for column in columns}) > 1:
        raise ValueError(f'{folder}: x, y and z hold different numbers of skeletons')
    skeletons = np.stack(columns, axis=-1)
    starts = np.arange(len(pid) + 1) * (len(skeletons) // len(pid))
    return SkeletonTable(skeletons, starts, pid.astype(np.int64), np.full(len(pid), -1))


def _only(folder: Path, pattern: str) -> Path:
    """Return the one file of a folder that fits a pattern."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise FileNotFoundError(
            f'{folder} must hold one {pattern}, as folders of TranSG do, and has {len(found)}'
        )
    return found[0]


def _read_npy(path: Path) -> np.ndarray:
    """Read an array without unpickling it."""
    try:
        array = np.load(path, allow_pickle=False)
    except Exception as error:  # as above
        raise ValueError(
            f'{path} is no plain array of numbers ({type(error).__name__}); Python objects are '
            'not loaded, because they could run code'
        ) from error
    if not isinstance(array, np.ndarray):
        raise ValueError(f'{path} is an .npz archive, not the .npy array its name promises')
    return array


def _checked(
    table: SkeletonTable,
    path: str,
    layout: str,
    num_joints: int,
    joint_order: Sequence[int] | None,
) -> SkeletonTable:
    """Check shape, values and unit; put the joints in the order of the layout."""
    skeletons = table.skeletons
    if skeletons.dtype.kind not in 'fiu' or skeletons.shape[1:] != (num_joints, 3):
        raise ValueError(
            f'{path}: skeletons of layout {layout!r} must have shape ({num_joints}, 3), got '
            f'{skeletons.dtype} of shape {skeletons.shape[1:]}'
        )
    skeletons = skeletons.astype(np.float32, copy=False)
    bad = np.flatnonzero(~np.isfinite(skeletons).all(axis=(1, 2)))
    if len(bad):
        raise ValueError(
            f'{path}: {len(bad)} skeletons hold NaN or infinity, the first is row {bad[0]}; put '
            'zeros for a skeleton that is missing'
        )
    sizes = np.ptp(skeletons[:: max(1, len(skeletons) // 32)], axis=1).max(axis=1)
    if np.median(sizes) > _LARGEST:
        raise ValueError(
            f'{path}: skeletons must be in metres, but the bodies measure {np.median(sizes):.0f}; '
            'divide them (millimetres by 1000)'
        )
    if (table.pid < 0).any():
        raise ValueError(f'{path}: identities must be numbers from 0, got {table.pid.min()}')
    if joint_order is not None:
        skeletons = np.ascontiguousarray(skeletons[:, list(joint_order)])
    return SkeletonTable(skeletons, table.starts, table.pid, table.camid)
