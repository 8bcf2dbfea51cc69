"""Data sets of skeletons alone: BIWI, IAS-Lab, KS20, KGBD, CASIA-B, UCalgary, or your own."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from csipreid.datasets.tracklet_dataset import Subset, TrackletDataset
from csipreid.registry import DATASETS
from csipreid.skeletons import get_layout
from csipreid.skeletons.sequences import SkeletonTable, read_sequences


@DATASETS.register_module()
class SkeletonSequences(TrackletDataset):
    """Skeleton sequences without frames.

    The files are those of :mod:`csipreid.skeletons.sequences`: an ``.npz`` of ours, or a folder
    of TranSG for BIWI, IAS, KS20, KGBD and CASIA-B, of which nothing is unpickled.

    Items have the keys of :class:`TrackletDataset`, without ``skeleton_paths``; besides

    - ``frame_paths``: a name for each frame, ``FILE#SEQUENCE:FRAME``, of no file;
    - ``sequence``: the skeletons, float32, (n, V, 3), camera axes;
    - ``layout``: name of the layout.

    Source:
        TranSG's files and splits: Rao and Miao, "TranSG: Transformer-Based Skeleton Graph
        Prototype Contrastive Learning with Structure-Trajectory Prompted Reconstruction for
        Person Re-Identification", CVPR 2023.

    Args:
        subset: Part to load; 'test' is query, then gallery.
        files: File or folder of each of 'train', 'query' and 'gallery', below ``data_root``.
        layout: Name of the joint layout.
        window: Frames of an item: longer sequences are cut into windows of this length, from
            the first frame on; a rest shorter than a window is left out, a shorter sequence
            stays one item. None takes sequences as they are.
        stride: Frames from the start of a window to that of the next, for each subset; a subset
            that is not named takes ``window``.
        joint_order: Place in the file of each joint of the layout; None if as stored.
        y_up: Whether y points up in the files, as Kinect's does; the skeletons are turned by
            half a turn about z, so that x points right and y down, as the camera's axes do.
        **kwargs: See :class:`TrackletDataset`.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is broken or of another layout, or an argument does not fit.
    """

    def __init__(
        self,
        subset: str,
        files: Mapping[str, str],
        layout: str,
        window: int | None = None,
        stride: Mapping[str, int] | None = None,
        joint_order: Sequence[int] | None = None,
        y_up: bool = False,
        **kwargs: Any,
    ) -> None:
        self.layout = get_layout(layout)
        for name, given in (('files', files), ('stride', stride or {})):
            unknown = set(given) - {'train', 'query', 'gallery'}
            if unknown:
                raise ValueError(
                    f"{name} must be given for 'train', 'query' and 'gallery', got "
                    f'{sorted(unknown)[0]!r}'
                )
        steps = [window, *(stride or {}).values()]
        if any(step is not None and step < 1 for step in steps):
            raise ValueError(f'window and stride must be positive, got {window} and {stride}')
        if joint_order is not None and sorted(joint_order) != list(range(self.layout.num_joints)):
            raise ValueError(
                f'joint_order must hold each of 0 to {self.layout.num_joints - 1} once, got '
                f'{list(joint_order)}'
            )
        self.files = dict(files)
        self.window = window
        self.stride = dict(stride or {})
        self.joint_order = joint_order
        self.y_up = y_up
        self._tables: dict[str, np.ndarray] = {}
        super().__init__(subset, **kwargs)  # type: ignore[arg-type]

    def load_tracklets(self, subset: Subset) -> list[dict]:
        """List the sequences of one subset, as they are in the file.

        Returns:
            For each ``frame_paths``, ``pid``, ``camid``, ``rows`` (first row and the one after
            the last, in the table of the subset) and ``sequence``, float32, (n, V, 3).
        """
        if subset not in self.files:
            raise ValueError(f'files must name the {subset} set, got {self.files}')
        name = self.files[subset]
        table = self._read(os.path.join(self.data_root, name))
        self._tables[subset] = table.skeletons
        items = []
        for number, (start, stop) in enumerate(
            zip(table.starts[:-1].tolist(), table.starts[1:].tolist(), strict=True)
        ):
            # The subset in front, since query and gallery may be one file.
            frames = range(stop - start)
            items.append(
                dict(
                    frame_paths=[f'{subset}/{name}#{number}:{frame}' for frame in frames],
                    pid=int(table.pid[number]),
                    camid=int(table.camid[number]),
                    rows=(start, stop),
                    sequence=table.skeletons[start:stop],
                )
            )
        return items

    def cut_tracklet(self, tracklet: dict, subset: Subset) -> list[dict]:
        """Cut a sequence into windows; the skeletons stay in the table."""
        item = {key: value for key, value in tracklet.items() if key != 'sequence'}
        start, stop = item['rows']
        if self.window is None or stop - start <= self.window:
            return [item]
        step = self.stride.get(subset, self.window)
        return [
            dict(
                item,
                frame_paths=item['frame_paths'][first : first + self.window],
                rows=(start + first, start + first + self.window),
            )
            for first in range(0, stop - start - self.window + 1, step)
        ]

    def get_data_info(self, idx: int) -> dict:
        """Return an item with its skeletons."""
        item = super().get_data_info(idx)
        start, stop = item.pop('rows')
        item['sequence'] = self._tables[item['subset']][start:stop]
        item['layout'] = self.layout.name
        return item

    def _read(self, path: str) -> SkeletonTable:
        """Read a file, in camera axes."""
        layout = self.layout
        table = read_sequences(path, layout.name, layout.num_joints, self.joint_order)
        if self.y_up:
            turned = table.skeletons * np.array([-1, -1, 1], np.float32)
            return SkeletonTable(turned, table.starts, table.pid, table.camid)
        return table
