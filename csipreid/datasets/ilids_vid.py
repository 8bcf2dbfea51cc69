"""iLIDS-VID tracklets with their skeletons."""

import os
import re
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from csipreid.datasets.frame_files import list_folders, require_frames
from csipreid.datasets.ls_vid import take_frames
from csipreid.datasets.matlab_tables import read_integers
from csipreid.datasets.skeleton_folders import SKELETON_FOLDERS, find_skeleton_folder, skeleton_name
from csipreid.datasets.tracklet_dataset import Subset, TrackletDataset
from csipreid.registry import DATASETS

_FRAMES = os.path.join('i-LIDS-VID', 'sequences')
_SPLITS = os.path.join('train-test people splits', 'train_test_splits_ilidsvid.mat')
_PERSON = re.compile(r'person(\d+)')


@DATASETS.register_module()
class ILIDSVID(TrackletDataset):
    """iLIDS-VID: 300 persons, each seen once by each of 2 cameras.

    A split trains on half of the persons and tests on the others: the tracklets of camera 1
    query, those of camera 2 are the gallery. Numbers are usually means over the ten splits.

    Source:
        Wang et al., "Person Re-Identification by Video Ranking", ECCV 2014.

    Folder ``data_root``, or the folder ``raw/iLIDS-VID`` in it::

        i-LIDS-VID/sequences/cam1/person001/cam1_person001_00317.png
        train-test people splits/train_test_splits_ilidsvid.mat

    and in ``data_root`` the skeletons, which may also be those of the published code in
    ``i-LIDS-VID/sequences_skeleton_3d_hmr2.0/cam1/person001``::

        skeleton_3d/i-LIDS-VID/sequences/cam1/person001/cam1_person001_00317.json

    A row of ``ls_set`` is a split: positions (1-based) in the ascending list of persons, the
    training half first.

    Args:
        split: Row of ``ls_set``, 0-based.
        window_len: None makes each tracklet one item. A number n reproduces the published
            CSIP-ReID code, for which every ``window_len`` consecutive frames are an item of
            their own, in training and as queries: windows begin at 0, ``window_step``, …
            strictly below n - ``window_len``; a tracklet too short for any is one item.
        window_step: Frames from the beginning of one window to that of the next.
        **kwargs: Passed to :class:`TrackletDataset`.

    Raises:
        FileNotFoundError: If a folder or the table of splits is missing.
        ValueError: If the split does not exist or does not fit the persons in the folders.
    """

    METAINFO: ClassVar[dict] = dict(dataset_name='ilidsvid')

    def __init__(
        self,
        *args: Any,
        split: int = 0,
        window_len: int | None = None,
        window_step: int = 4,
        **kwargs: Any,
    ) -> None:
        if (window_len is not None and window_len < 1) or window_step < 1:
            raise ValueError(
                'window_len must be positive or None and window_step positive, '
                f'got {window_len} and {window_step}'
            )
        self.split = split
        self.window_len = window_len
        self.window_step = window_step
        super().__init__(*args, **kwargs)

    def load_tracklets(self, subset: Subset) -> list[dict]:
        """List the tracklets of the persons of one subset."""
        raw = self._raw_folder()
        cameras = {'train': (1, 2), 'query': (1,), 'gallery': (2,)}[subset]
        return [
            self._tracklet(raw, camera, person)
            for person in self._persons(raw, subset)
            for camera in cameras
        ]

    def cut_tracklet(self, tracklet: dict, subset: Subset) -> list[dict]:
        """Cut a tracklet into windows."""
        if self.window_len is None:
            return [tracklet]
        stop = len(tracklet['frame_paths']) - self.window_len
        starts = range(0, stop, self.window_step)
        windows = [take_frames(tracklet, start, start + self.window_len) for start in starts]
        return windows or [tracklet]

    def _raw_folder(self) -> str:
        """Return the folder of the unpacked archive."""
        folders = [self.data_root, os.path.join(self.data_root, 'raw', 'iLIDS-VID')]
        for folder in folders:
            if os.path.isdir(os.path.join(folder, _FRAMES)):
                return folder
        raise FileNotFoundError(
            f'folder {os.path.join(self.data_root, _FRAMES)} not found; see README, "Data", for '
            'the folder layout'
        )

    def _persons(self, raw: str, subset: Subset) -> list[str]:
        """Return the folder names of the subset's persons, ascending."""
        persons = list_folders(os.path.join(raw, _FRAMES, 'cam1'))
        others = list_folders(os.path.join(raw, _FRAMES, 'cam2'))
        if persons != others:
            alone = sorted(set(persons) ^ set(others))
            raise ValueError(
                f'{len(alone)} persons have a folder under one camera only, the first is '
                f'{alone[0]!r}; iLIDS-VID shows each person under both'
            )
        path = Path(raw, _SPLITS)
        table = read_integers(path, 'ls_set')
        if not 0 <= self.split < len(table):
            raise ValueError(f'split must be in [0, {len(table) - 1}], got {self.split}')
        row = table[self.split] - 1
        if not np.array_equal(np.sort(row), np.arange(len(persons))):
            raise ValueError(
                f'{path}, row {self.split + 1}, must list each of the {len(persons)} persons in '
                f'{raw} once (1-based), got {len(row)} numbers from {row.min() + 1} to '
                f'{row.max() + 1}'
            )
        half = len(row) // 2
        chosen = row[:half] if subset == 'train' else row[half:]
        return [persons[index] for index in sorted(chosen.tolist())]

    def _tracklet(self, raw: str, camera: int, person: str) -> dict:
        """Describe the tracklet of one person under one camera."""
        match = _PERSON.fullmatch(person)
        if match is None:
            raise ValueError(f"a person's folder must be called like 'person001', got {person!r}")
        part = os.path.join(f'cam{camera}', person)
        folder = os.path.join(raw, _FRAMES, part)
        names = require_frames(folder)
        strange = [name for name in names if not name.startswith(f'cam{camera}_{person}_')]
        if strange:
            raise ValueError(
                f'{os.path.join(folder, strange[0])} is in the wrong folder: its name must begin '
                f'with cam{camera}_{person}_'
            )
        relative = os.path.relpath(os.path.join(raw, _FRAMES), self.data_root)
        candidates = (
            *(os.path.join(name, relative) for name in SKELETON_FOLDERS),
            os.path.join('i-LIDS-VID', 'sequences_skeleton_3d_hmr2.0'),
        )
        skeletons = find_skeleton_folder(self.data_root, '', candidates)
        return dict(
            frame_paths=[os.path.join(folder, name) for name in names],
            skeleton_paths=[os.path.join(skeletons, part, skeleton_name(name)) for name in names],
            pid=int(match[1]),
            camid=camera - 1,
        )
