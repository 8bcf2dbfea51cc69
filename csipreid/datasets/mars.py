"""MARS tracklets with their skeletons."""

import os
import re
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np

from csipreid.datasets.matlab_tables import read_integers
from csipreid.datasets.skeleton_folders import find_skeleton_folder
from csipreid.datasets.tracklet_dataset import Subset, TrackletDataset
from csipreid.file_content import read_text
from csipreid.registry import DATASETS

_NAME = re.compile(r'(?P<folder>0*(?P<pid>-?[0-9]{1,9}))C(?P<camera>[0-9]{1,9})')


@DATASETS.register_module()
class MARS(TrackletDataset):
    """MARS: 1,261 identities, 6 cameras, about 20,000 tracklets; or any folder of its layout.

    Training: 8,298 tracklets of 625 identities. Test: 1,980 queries and a gallery of
    9,330 tracklets, 3,248 of them distractors (pid 0); 870 junk tracklets are dropped.

    Source:
        Zheng et al., "MARS: A Video Benchmark for Large-Scale Person
        Re-Identification", ECCV 2016.

    Folder ``data_root``, in which ``skeleton_3d`` may also be called ``skeleton_3d_hmr2.0``::

        info/{train_name,test_name}.txt
        info/{tracks_train_info,tracks_test_info,query_IDX}.mat
        bbox_{train,test}/0001/0001C1T0001F001.jpg
        skeleton_3d/bbox_{train,test}/0001/0001C1T0001F001.json

    A name is made of person, camera, tracklet and frame; junk is called ``00-1``. The tables
    hold one tracklet per row: first and last line in the name list (1-based, inclusive),
    person, camera (1-based). ``query_IDX`` lists the rows of the test table (1-based) that are
    queries, all others are the gallery.

    The arguments are those of :class:`TrackletDataset`.

    Raises:
        FileNotFoundError: If a list or a table is missing.
        ValueError: If list and tables contradict each other or hold impossible values.
    """

    METAINFO: ClassVar[dict] = dict(dataset_name='mars')

    def load_tracklets(self, subset: Subset) -> list[dict]:
        """Read the name list and the tables of one subset."""
        split = 'train' if subset == 'train' else 'test'
        info = Path(self.data_root, 'info')
        names = _read_names(info / f'{split}_name.txt')
        path = info / f'tracks_{split}_info.mat'
        table = read_integers(path, f'track_{split}_info')
        if table.ndim != 2 or table.shape[1] != 4:
            raise ValueError(
                f'{path} must hold four columns (first frame, last frame, person, camera), '
                f'got shape {table.shape}'
            )
        folders = self._folders(split)
        rows = self._rows(info, subset, len(table))
        strange = [
            row for row in rows if table[row, 2] < -1 or (subset, table[row, 2]) == ('query', 0)
        ]
        if strange:
            raise ValueError(
                f'{path}, row {strange[0] + 1}: persons count from 1; 0 stands for distractors, '
                f'which do not query, and -1 for junk, got {table[strange[0], 2]}'
            )
        return [
            _tracklet(names, row, f'{path}, row {row + 1}', table[row].tolist(), *folders)
            for row in rows
        ]

    def _rows(self, info: Path, subset: Subset, num_tracklets: int) -> list[int]:
        """Pick the rows of the table (0-based) that form the subset."""
        if subset == 'train':
            return list(range(num_tracklets))
        path = info / 'query_IDX.mat'
        query = read_integers(path, 'query_IDX').ravel() - 1
        outside = query[(query < 0) | (query >= num_tracklets)]
        if outside.size:
            raise ValueError(
                f'{path} must hold rows of the test table in [1, {num_tracklets}], '
                f'got {outside[0] + 1}'
            )
        if len(np.unique(query)) < len(query):
            raise ValueError(f'{path} lists a row twice; each query must be listed once')
        if subset == 'query':
            return query.tolist()
        return np.setdiff1d(np.arange(num_tracklets), query).tolist()

    def _folders(self, split: str) -> tuple[str, str]:
        """Return the folders of frames and skeletons."""
        part = f'bbox_{split}'
        return os.path.join(self.data_root, part), find_skeleton_folder(self.data_root, part)


def _read_names(path: Path) -> list[str]:
    """Read a list of file names; an empty line keeps its number."""
    if not path.is_file():
        raise FileNotFoundError(f'{path} not found; see README, "Data", for the folder layout')
    return [line.strip() for line in read_text(path).rstrip().split('\n')]


def _tracklet(
    names: list[str],
    row: int,
    where: str,
    values: list[int],
    frame_folder: str,
    skeleton_folder: str,
) -> dict:
    """Describe the tracklet of one table row, after checking it against its names."""
    first, last, pid, camera = values
    if not 1 <= first <= last <= len(names):
        raise ValueError(
            f'{where}: frames {first} to {last} are not a range within the name list '
            f'of {len(names)} lines'
        )
    names = names[first - 1 : last]
    match = _NAME.match(names[0])
    if match is None:
        raise ValueError(
            f'{where}: a name must begin with person and camera, like 0001C1T0001F001.jpg, '
            f'got {names[0]!r}'
        )
    if camera < 1:
        raise ValueError(f'{where}: the camera must be 1 or more, got {camera}')
    if (int(match['pid']), int(match['camera'])) != (pid, camera):
        raise ValueError(
            f'{where}: the table says person {pid}, camera {camera}, '
            f'but the first name is {names[0]!r}; list and table do not belong together'
        )
    prefix = names[0][: match.end() + 1]  # one character more: C1 must not match C12
    for name in names:
        if not name.startswith(prefix):
            raise ValueError(
                f'{where}: the frames {names[0]!r} and {name!r} are not of one person and camera'
            )
    for before, name in pairwise(names):
        if before >= name:
            raise ValueError(
                f'{where}: frame {name!r} stands after {before!r}; a tracklet lists each frame '
                'once, in the order of time'
            )
    frames = os.path.join(frame_folder, match['folder'], '')
    skeletons = os.path.join(skeleton_folder, match['folder'], '')
    return dict(
        frame_paths=[frames + name for name in names],
        skeleton_paths=[f'{skeletons}{name.partition(".")[0]}.json' for name in names],
        pid=pid,
        camid=camera - 1,
    )
