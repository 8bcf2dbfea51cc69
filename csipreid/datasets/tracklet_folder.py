"""Tracklets of anyone's own, in folders or listed in a table."""

import csv
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from mmengine.logging import MMLogger

from csipreid.datasets.frame_files import list_folders, natural_sorted, require_frames
from csipreid.datasets.skeleton_folders import find_skeleton_folder, skeleton_name
from csipreid.datasets.tracklet_dataset import Subset, TrackletDataset
from csipreid.file_content import read_text
from csipreid.output_folder import check_complete
from csipreid.registry import DATASETS

_NUMBER = re.compile(r'-?[0-9]{1,9}')
_TRACKLET = re.compile(
    r'(?:(?:c|cam|camera)?(?P<camera>[0-9]{1,9})_)?(?P<track>[^_].*)', re.IGNORECASE
)
_REQUIRED = ('subset', 'pid', 'tracklet', 'frame')


@DATASETS.register_module()
class TrackletFolder(TrackletDataset):
    """Tracklets in folders named by person, camera and track, or in a table.

    Folder ``data_root``::

        {train,query,gallery}/PID/CAM_TRACK/*.jpg
        skeleton_3d/{train,query,gallery}/PID/CAM_TRACK/*.json

    ``PID`` is a number: -1 junk, 0 a distractor. ``CAM_TRACK`` is like ``c1_0003`` or
    ``1_0003``, with cameras from 1; without underscore, like ``0003``, the camera is unknown
    (camid -1). The frames of a tracklet are sorted by the numbers in their names.

    A table has a line for each frame, in the order of time, and names the columns in its first
    line: ``subset``, ``pid``, ``tracklet`` (any text), ``frame`` (path relative to
    ``data_root``), and ``camera`` (from 1, empty when unknown), which may be left out.

    Args:
        annotation: A CSV table, relative to ``data_root``; None reads the folders.
        **kwargs: Passed to :class:`TrackletDataset`.

    Raises:
        FileNotFoundError: If a folder or the table is missing.
        ValueError: If a name or a line is impossible.
    """

    METAINFO: ClassVar[dict] = dict(dataset_name='folder')

    def __init__(self, *args: Any, annotation: str | None = None, **kwargs: Any) -> None:
        self.annotation = annotation
        super().__init__(*args, **kwargs)

    def load_tracklets(self, subset: Subset) -> list[dict]:
        """List the tracklets of one subset."""
        read = self._read_folders if self.annotation is None else self._read_table
        skeletons: dict[str, str] = {}
        tracklets = []
        for pid, camera, frames in read(subset):
            part = frames[0].partition('/')[0] if frames else subset
            if part not in skeletons:
                folder = find_skeleton_folder(self.data_root, part)
                skeletons[part] = os.path.dirname(folder)
            tracklets.append(
                dict(
                    frame_paths=[os.path.join(self.data_root, frame) for frame in frames],
                    skeleton_paths=[
                        os.path.join(skeletons[part], skeleton_name(frame)) for frame in frames
                    ],
                    pid=pid,
                    camid=camera - 1,
                )
            )
        return tracklets

    def _read_folders(self, subset: Subset) -> Iterator[tuple[int, int, list[str]]]:
        """Yield person, camera (from 1, 0 unknown) and relative frame paths of each tracklet."""
        check_complete(self.data_root)
        folder = os.path.join(self.data_root, subset)
        for person in list_folders(folder):
            if not _NUMBER.fullmatch(person):
                raise ValueError(
                    f"{os.path.join(folder, person)}: a person's folder must be a number, "
                    f'got {person!r}'
                )
            _check_person(int(person), subset, os.path.join(folder, person))
            for name in list_folders(os.path.join(folder, person)):
                path = os.path.join(folder, person, name)
                match = _TRACKLET.fullmatch(name)
                if match is None or (match['camera'] and int(match['camera']) == 0) or (
                    match['camera'] is None and '_' in name
                ):  # fmt: skip
                    raise ValueError(
                        f"{path}: a tracklet's folder must be called like 'c1_0003' (camera from "
                        f"1, track) or '0003' (camera unknown), got {name!r}"
                    )
                frames = require_frames(path)
                relative = f'{subset}/{person}/{name}'
                yield (
                    int(person),
                    int(match['camera'] or 0),
                    [f'{relative}/{frame}' for frame in frames],
                )

    def _read_table(self, subset: Subset) -> Iterator[tuple[int, int, list[str]]]:
        """Yield the same from the table."""
        path = Path(self.data_root, str(self.annotation))
        if not path.is_file():
            raise FileNotFoundError(f'{path} not found; see README, "Data", for its columns')
        groups: dict[tuple[int, int, str], list[str]] = {}
        # csv counts lines by their ends; the text has one kind of them.
        reader = csv.DictReader(io.StringIO(read_text(path)), restkey='too many', strict=True)
        try:
            columns = list(reader.fieldnames or [])
            absent = [name for name in _REQUIRED if name not in columns]
            if absent or len(set(columns)) < len(columns):
                raise ValueError(
                    f'{path} must have the columns {_REQUIRED}, each once'
                    + (f'; it lacks {absent}' if absent else f', got {columns}')
                )
            for row in reader:
                where = f'{path}, line {reader.line_num}'
                if _parse_subset(row, where) == subset:
                    key, frame = _parse(row, where)
                    groups.setdefault(key, []).append(frame)
        except csv.Error as error:
            raise ValueError(f'{path}, line {reader.line_num}: {error}') from error
        disordered = [frames for frames in groups.values() if frames != natural_sorted(frames)]
        if disordered:
            MMLogger.get_current_instance().warning(
                f'{path}: {len(disordered)} of {len(groups)} {subset} tracklets do not list their '
                f'frames in the order of the numbers in their names, the first begins with '
                f'{disordered[0][0]}; lines must be in the order of time'
            )
        for (pid, camera, _), frames in groups.items():
            yield pid, camera, frames


def _parse_subset(row: dict, where: str) -> str:
    """Return the subset of a line, after checking that the line is whole."""
    if 'too many' in row or None in row.values():
        raise ValueError(f'{where}: must have as many fields as the first line')
    if row['subset'] not in ('train', 'query', 'gallery'):
        raise ValueError(
            f"{where}: subset must be 'train', 'query' or 'gallery', got {row['subset']!r}"
        )
    return row['subset']


def _parse(row: dict, where: str) -> tuple[tuple[int, int, str], str]:
    """Return person, camera and track of a line, and its frame."""
    camera = row.get('camera', '').strip()
    if not _NUMBER.fullmatch(row['pid'].strip()):
        raise ValueError(f'{where}: pid must be a whole number, got {row["pid"]!r}')
    if camera and (not _NUMBER.fullmatch(camera) or int(camera) < 1):
        raise ValueError(
            f'{where}: camera must be a whole number from 1, or empty when unknown, got {camera!r}'
        )
    _check_person(int(row['pid']), row['subset'], where)
    if not row['frame'].strip():
        raise ValueError(f'{where}: frame is empty')
    frame = row['frame'].strip().replace('\\', '/')
    if frame.startswith('/') or '..' in frame.split('/'):
        raise ValueError(
            f'{where}: frame must be a path below the folder of the data set, got {frame!r}'
        )
    return (int(row['pid']), int(camera or 0), row['tracklet']), frame


def _check_person(pid: int, subset: str, where: str) -> None:
    """Refuse numbers of persons that stand for something else."""
    if pid < -1 or (pid == 0 and subset == 'query'):
        raise ValueError(
            f'{where}: persons count from 1; 0 stands for distractors, which do not query, and -1 '
            f'for junk, got {pid}'
        )
