"""The frames of a data set one by one, for features that are computed once."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from csipreid.feature_cache import FrameFeatures, stamp_file


class FrameTable:
    """Which frames the items of a data set may use, each of them once.

    Args:
        tracklets: ``frame_paths`` of each item.
        candidates: Chooses, from the number of frames of an item, those that
            it may use, int64, ascending; None takes all.

    Attributes:
        paths: The N different frames.
        rows: Row of each frame of each item, one item behind the other, -1 for
            a frame that is not used, int32.
        starts: Where an item begins in ``rows``, int64, (items + 1,).
    """

    def __init__(
        self,
        tracklets: Sequence[Sequence[str]],
        candidates: Callable[[int], np.ndarray] | None = None,
    ) -> None:
        self.starts = np.cumsum([0, *map(len, tracklets)])
        self.rows = np.full(self.starts[-1], -1, np.int32)
        known: dict[str, int] = {}
        for start, paths in zip(self.starts, tracklets, strict=False):
            used = range(len(paths)) if candidates is None else candidates(len(paths)).tolist()
            self.rows[[start + i for i in used]] = [
                known.setdefault(paths[i], len(known)) for i in used
            ]
        self.paths = list(known)


class SingleFrames(Dataset):
    """Frames one by one, as the pipeline of their data set prepares them.

    Each item holds ``frame`` (uint8, (3, H, W), RGB) and the ``stamp`` of its
    file (see :class:`csipreid.feature_cache.FrameStamps`).

    Args:
        table: The frames.
        transforms: Steps of the pipeline that make a frame.
        data_root: Folder of the data set, left out of the names.

    Attributes:
        root: ``data_root`` without links, so that no other folder has the same.
        names: Paths below ``data_root``.
        preparation: The steps with their settings, as text.
    """

    def __init__(
        self, table: FrameTable, transforms: Sequence[Callable], data_root: str = ''
    ) -> None:
        self.table = table
        self.transforms = list(transforms)
        self.root = os.path.realpath(data_root)
        self.names = [path.removeprefix(data_root) for path in table.paths]
        self.preparation = [f'{type(t).__name__} {vars(t)}' for t in transforms]

    def __len__(self) -> int:
        return len(self.table.paths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        path = self.table.paths[index]
        stamp = stamp_file(path)
        results: dict[str, Any] = dict(frame_paths=[path], frame_inds=np.zeros(1, np.int64))
        for transform in self.transforms:
            results = transform(results)
        frame = np.ascontiguousarray(results['frames'][0])
        return dict(frame=torch.from_numpy(frame).movedim(-1, 0), stamp=stamp)


class LoadFrameFeatures:
    """Read the features of the chosen frames instead of the frames.

    Stands where the frames were loaded in a pipeline; a data set puts it there
    (:meth:`csipreid.datasets.tracklet_dataset.TrackletDataset.use_frame_features`).

    Required keys: ``sample_idx``, ``frame_inds``.

    Added keys: ``frame_features`` (float32, (T, D), N T instead of T for N clips).

    Args:
        features: Features of the frames of ``table``.
        table: The frames of the items.

    Raises:
        ValueError: If a frame is chosen that has no feature.
    """

    frame_change = 'none'

    def __init__(self, features: FrameFeatures, table: FrameTable) -> None:
        self.features = features
        self.rows, self.starts = table.rows, table.starts

    def __call__(self, results: dict) -> dict:
        """Read the features."""
        inds = results['frame_inds'].ravel()
        rows = self.rows[self.starts[results['sample_idx']] + inds]
        if (rows < 0).any():
            raise ValueError(
                f'frame {inds[rows < 0][0]} of item {results["sample_idx"]} has no stored '
                'feature; the sampling of clips has changed since the features were computed'
            )
        results['frame_features'] = self.features.take(rows)
        return results
