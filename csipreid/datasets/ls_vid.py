"""LS-VID tracklets with their skeletons."""

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from csipreid.datasets.frame_files import list_frames
from csipreid.datasets.matlab_tables import read_integers
from csipreid.datasets.skeleton_folders import find_skeleton_folder, skeleton_name
from csipreid.datasets.tracklet_dataset import Subset, TrackletDataset
from csipreid.file_content import read_text
from csipreid.registry import DATASETS

_CAMERA = re.compile(r'c?0*([0-9]{1,9})')


@DATASETS.register_module()
class LSVID(TrackletDataset):
    """LS-VID: 3,772 identities, 15 cameras, 14,943 tracklets.

    Source:
        Li et al., "Global-Local Temporal Representations for Video Person
        Re-Identification", ICCV 2019.

    Folder ``data_root``, in which ``skeleton_3d`` may also be called ``skeleton_3d_hmr2.0``::

        list_sequence/{list_seq_train,list_seq_test}.txt
        test/data/info_test.mat
        <prefix>*.jpg
        skeleton_3d/<prefix>*.json

    A list holds one tracklet per line: the beginning of the paths of its frames, and the
    person. A frame belongs to the longest beginning in the list that fits it. The camera
    (1-based) is the third field of a frame's name, between underscores. ``query`` of
    ``info_test.mat`` lists the lines of the test list (1-based) that are queries, all others
    are the gallery; it is a MATLAB 7.3 file, which needs the extra ``csipreid[lsvid]``.

    Args:
        chunk_len: Frames per item in training; a tracklet of n frames becomes
            ``max(1, n // chunk_len)`` items, the last one with all that remains. None keeps
            tracklets whole. The published CSIP-ReID code takes 48.
        drop_short: Whether to lose training tracklets of fewer than ``chunk_len`` frames, as
            the published CSIP-ReID code does.
        **kwargs: Passed to :class:`TrackletDataset`.

    Raises:
        FileNotFoundError: If a list or a folder is missing.
        ValueError: If a line, a name or a query is impossible.
    """

    METAINFO: ClassVar[dict] = dict(dataset_name='lsvid')

    def __init__(
        self, *args: Any, chunk_len: int | None = None, drop_short: bool = False, **kwargs: Any
    ) -> None:
        if chunk_len is not None and chunk_len < 1:
            raise ValueError(f'chunk_len must be positive or None, got {chunk_len}')
        if drop_short and chunk_len is None:
            raise ValueError('drop_short=True needs a chunk_len')
        self.chunk_len = chunk_len
        self.drop_short = drop_short
        super().__init__(*args, **kwargs)

    def load_tracklets(self, subset: Subset) -> list[dict]:
        """Read the list of one subset and find the frames of its tracklets."""
        split = 'train' if subset == 'train' else 'test'
        path = Path(self.data_root, 'list_sequence', f'list_seq_{split}.txt')
        lines = _read_lines(path)
        groups = self._group_frames([prefix for prefix, _ in lines])
        parts = {prefix.partition('/')[0] for prefix in groups}
        skeletons = {part: find_skeleton_folder(self.data_root, part) for part in parts}
        return [
            self._tracklet(
                groups[prefix], skeletons[prefix.partition('/')[0]], prefix, pid,
                f'{path}, line {row + 1}',
            )
            for row in self._rows(subset, len(lines))
            for prefix, pid in [lines[row]]
        ]  # fmt: skip

    def cut_tracklet(self, tracklet: dict, subset: Subset) -> list[dict]:
        """Cut a training tracklet into chunks."""
        if subset != 'train' or self.chunk_len is None:
            return [tracklet]
        num_frames = len(tracklet['frame_paths'])
        if num_frames < self.chunk_len and self.drop_short:
            return []
        starts = [i * self.chunk_len for i in range(max(1, num_frames // self.chunk_len))]
        ranges = zip(starts, [*starts[1:], num_frames], strict=True)
        return [take_frames(tracklet, start, stop) for start, stop in ranges]

    def _rows(self, subset: Subset, num_tracklets: int) -> list[int]:
        """Pick the lines of the list (0-based) that form the subset."""
        if subset == 'train':
            return list(range(num_tracklets))
        path = Path(self.data_root, 'test', 'data', 'info_test.mat')
        query = read_integers(path, 'query').ravel() - 1
        outside = query[(query < 0) | (query >= num_tracklets)]
        if outside.size:
            raise ValueError(
                f'{path} must hold lines of the test list in [1, {num_tracklets}], '
                f'got {outside[0] + 1}'
            )
        if len(np.unique(query)) < len(query):
            raise ValueError(f'{path} lists a line twice; each query must be listed once')
        if subset == 'query':
            return query.tolist()
        return np.setdiff1d(np.arange(num_tracklets), query).tolist()

    def _group_frames(self, prefixes: Sequence[str]) -> dict[str, list[str]]:
        """Return the paths of each prefix's frames, relative to the root, in time order."""
        beginnings = defaultdict(set)
        groups: dict[str, list[str]] = {prefix: [] for prefix in prefixes}
        for prefix in groups:
            whole = os.path.isdir(os.path.join(self.data_root, prefix))
            folder, beginning = (prefix.rstrip('/'), '') if whole else os.path.split(prefix)
            beginnings[folder].add((beginning, prefix))
        for folder, pairs in beginnings.items():
            known = dict(pairs)
            lengths = sorted({len(beginning) for beginning in known}, reverse=True)
            for name in list_frames(os.path.join(self.data_root, folder)):
                for length in lengths:
                    if name[:length] in known:
                        groups[known[name[:length]]].append(f'{folder}/{name}')
                        break
        return groups

    def _tracklet(
        self, frames: list[str], skeletons: str, prefix: str, pid: int, where: str
    ) -> dict:
        """Describe the tracklet of one line, given the folder of its part's skeletons."""
        if not frames:
            raise ValueError(f'{where}: no frame in {self.data_root} begins with {prefix!r}')
        cameras = {_camera(frame, where) for frame in frames}
        if len(cameras) > 1:
            raise ValueError(
                f'{where}: the frames of {prefix!r} are of the cameras {sorted(cameras)}; '
                'a tracklet has one camera'
            )
        above = os.path.dirname(skeletons)
        return dict(
            frame_paths=[os.path.join(self.data_root, frame) for frame in frames],
            skeleton_paths=[os.path.join(above, skeleton_name(frame)) for frame in frames],
            pid=pid,
            camid=cameras.pop() - 1,
        )


def take_frames(tracklet: dict, start: int, stop: int) -> dict:
    """Return the part of a tracklet from frame ``start`` to before frame ``stop``."""
    paths = {key: tracklet[key][start:stop] for key in ('frame_paths', 'skeleton_paths')}
    return {**tracklet, **paths}


def _read_lines(path: Path) -> list[tuple[str, int]]:
    """Read the beginning of the frames' paths and the person of each tracklet."""
    if not path.is_file():
        raise FileNotFoundError(f'{path} not found; see README, "Data", for the folder layout')
    lines = []
    for number, line in enumerate(read_text(path).rstrip().split('\n'), 1):
        prefix, _, pid = line.strip().rpartition(' ')
        if not prefix or not re.fullmatch(r'-?[0-9]{1,9}', pid):
            raise ValueError(
                f'{path}, line {number}: must hold the beginning of the paths of the frames and '
                f'a person number, got {line.strip()!r}'
            )
        lines.append((prefix.strip(), int(pid)))
    prefixes = [prefix for prefix, _ in lines]
    if len(set(prefixes)) < len(prefixes):
        twice = next(prefix for prefix in prefixes if prefixes.count(prefix) > 1)
        raise ValueError(f'{path} lists {twice!r} twice; each tracklet must be listed once')
    return lines


def _camera(frame: str, where: str) -> int:
    """Return the camera in a frame's name, 1-based."""
    fields = os.path.basename(frame).split('_')
    match = _CAMERA.fullmatch(os.path.splitext(fields[2])[0]) if len(fields) > 2 else None
    if match is None or int(match[1]) < 1:
        raise ValueError(
            f'{where}: the third field of a name must be the camera, 1 or more, got {frame!r}'
        )
    return int(match[1])
