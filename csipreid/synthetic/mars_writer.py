"""Writing tracklets in the file layout of MARS."""

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import cv2
import numpy as np
from scipy.io import savemat

Split = Literal['train', 'test']


@dataclass(frozen=True)
class Tracklet:
    """One tracklet to write.

    Args:
        pid: Person identity, 0 to 9999; 0 is a distractor and -1 junk.
        camera: Camera number as MARS has it, 1 to 9.
        number: Number of the tracklet among those of this person and camera, 1 to 9999.
        frames: T pictures, RGB, uint8, (H, W, 3).
        skeletons: T skeletons in metres, (V, 3); ``None`` writes no file.
        quality: JPEG quality, 1 to 100.
    """

    pid: int
    camera: int
    number: int
    frames: Sequence[np.ndarray]
    skeletons: Sequence[np.ndarray | None]
    quality: int = 90


class TrackRecord(NamedTuple):
    """What the tables of MARS say about a tracklet.

    Attributes:
        pid: Person identity.
        camera: Camera number, from 1.
        names: File names of the T frames.
    """

    pid: int
    camera: int
    names: list[str]


def frame_name(pid: int, camera: int, number: int, frame: int) -> str:
    """Return the file name of a frame, such as ``0001C1T0001F001.jpg``.

    Args:
        pid: Person identity; junk, -1, is spelt ``00-1``.
        camera: Camera number, from 1.
        number: Number of the tracklet, from 1.
        frame: Number of the frame, from 1.

    Returns:
        The name.

    Raises:
        ValueError: If a number does not fit into its digits.
    """
    for what, value, low, high in (
        ('pid', pid, -1, 9999),
        ('camera', camera, 1, 9),
        ('tracklet number', number, 1, 9999),
        ('frame number', frame, 1, 999),
    ):
        if not low <= value <= high:
            raise ValueError(f'{what} must be from {low} to {high} in the MARS layout, got {value}')
    return f'{_pid_text(pid)}C{camera}T{number:04d}F{frame:03d}.jpg'


def write_tracklet(root: Path, split: Split, tracklet: Tracklet) -> TrackRecord:
    """Write the pictures and skeleton files of one tracklet.

    Args:
        root: Folder of the data set.
        split: Part of the data set.
        tracklet: The tracklet.

    Returns:
        The record for :func:`write_tables`.

    Raises:
        ValueError: If frames and skeletons differ in number or there are none.
    """
    if not tracklet.frames or len(tracklet.frames) != len(tracklet.skeletons):
        raise ValueError(
            'a tracklet needs one skeleton (or None) per frame and at least one frame, got '
            f'{len(tracklet.frames)} frames and {len(tracklet.skeletons)} skeletons'
        )
    pictures = root / f'bbox_{split}' / _pid_text(tracklet.pid)
    skeletons = root / 'skeleton_3d' / f'bbox_{split}' / _pid_text(tracklet.pid)
    for folder in (pictures, skeletons):
        folder.mkdir(parents=True, exist_ok=True)
    names = []
    for index, frame in enumerate(tracklet.frames, start=1):
        name = frame_name(tracklet.pid, tracklet.camera, tracklet.number, index)
        _, code = cv2.imencode(
            '.jpg', frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, tracklet.quality]
        )
        (pictures / name).write_bytes(code.tobytes())
        skeleton = tracklet.skeletons[index - 1]
        if skeleton is not None:
            text = json.dumps({'keypoints': np.round(skeleton, 5).tolist()})
            (skeletons / name).with_suffix('.json').write_text(text)
        names.append(name)
    return TrackRecord(tracklet.pid, tracklet.camera, names)


def write_tables(
    root: Path,
    train: Sequence[TrackRecord],
    test: Sequence[TrackRecord],
    queries: Sequence[int],
) -> None:
    """Write the ``info`` folder.

    Args:
        root: Folder of the data set.
        train: Records of the training tracklets, in table order.
        test: Records of the test tracklets, in table order.
        queries: Rows of ``test`` that are queries, from 0.
    """
    info = root / 'info'
    info.mkdir(parents=True, exist_ok=True)
    for split, records in (('train', train), ('test', test)):
        names = [name for record in records for name in record.names]
        (info / f'{split}_name.txt').write_text(''.join(f'{name}\n' for name in names))
        ends = np.cumsum([len(record.names) for record in records], dtype=np.int32)
        table = np.zeros((len(records), 4), np.int32)
        for row, record, end in zip(table, records, ends, strict=True):
            row[:] = end - len(record.names) + 1, end, record.pid, record.camera
        _write_mat(info / f'tracks_{split}_info.mat', f'track_{split}_info', table)
    _write_mat(info / 'query_IDX.mat', 'query_IDX', np.array([queries], np.int32) + 1)


def write_mars(
    root: Path, train: Iterable[Tracklet], test: Iterable[Tracklet], queries: Sequence[int]
) -> None:
    """Write a whole data set.

    Args:
        root: Folder of the data set.
        train: Training tracklets, in table order.
        test: Test tracklets, in table order.
        queries: Rows of ``test`` that are queries, from 0.
    """
    write_tables(
        root,
        [write_tracklet(root, 'train', tracklet) for tracklet in train],
        [write_tracklet(root, 'test', tracklet) for tracklet in test],
        queries,
    )


def _pid_text(pid: int) -> str:
    """Spell an identity with four characters."""
    return f'{pid:04d}' if pid >= 0 else f'00{pid}'


def _write_mat(path: Path, key: str, table: np.ndarray) -> None:
    """Write one MATLAB file without the time of day, so that equal tables are equal files."""
    buffer = io.BytesIO()
    savemat(buffer, {key: table})  # type: ignore[arg-type]  # takes open files too
    header = b'MATLAB 5.0 MAT-file'.ljust(116)
    path.write_bytes(header + buffer.getvalue()[116:])
