"""Reading the skeletons of frames from their files."""

import os
from collections.abc import Iterable, Sequence

import numpy as np

from csipreid.datasets.transforms.file_listing import find_missing
from csipreid.skeletons.files import SkeletonFileError, read_skeleton_file
from csipreid.skeletons.packed import PackedSkeletons, find_pack


class SkeletonReader:
    """Reader of skeletons, from packed files where there are any, else from JSON files.

    A JSON file holds one frame, ``{"keypoints": [[x, y, z], ...]}``, in metres. If the folder
    of a skeleton file, or one above it, is packed (see :mod:`csipreid.skeletons.packed`), the
    packed file is read instead and the JSON files need not exist.

    Args:
        num_joints: Joints per skeleton, V.
        layout: Name of the joint layout, which packed files must have.
    """

    def __init__(self, num_joints: int, layout: str) -> None:
        self.num_joints = num_joints
        self.layout = layout
        self._packs: dict[str, PackedSkeletons | None] = {}
        self._open: dict[str, PackedSkeletons] = {}
        self._last: PackedSkeletons | None = None  # most paths are where the one before was

    def __getstate__(self) -> dict:
        """Leave open files out of a copy for another process; it opens its own."""
        return {**self.__dict__, '_packs': {}, '_open': {}, '_last': None}

    def read(self, paths: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Read the skeletons of n frames; a path that comes again is read once.

        Returns:
            Joint positions in metres, float32, (n, V, 3), zero where there are none, and
            whether there are any, bool, (n,). A frame has none if it has no file, an empty
            list of joints, or all coordinates zero.

        Raises:
            ValueError: If a file holds anything else.
        """
        pack = self._pack(paths[0])
        if pack is not None:
            rows = pack.find_paths(paths)
            if -1 not in rows.tolist():
                skeletons = pack.keypoints.take(rows, axis=0)
                _check_finite(skeletons, pack.path)
                return skeletons, pack.found.take(rows)
        skeletons = np.zeros((len(paths), self.num_joints, 3), np.float32)
        found = np.zeros(len(paths), bool)
        known: dict[str, np.ndarray | None] = {}
        for index, path in enumerate(paths):
            if path not in known:
                known[path] = self._read_one(path)
            skeleton = known[path]
            if skeleton is not None:
                skeletons[index], found[index] = skeleton, True
        return skeletons, found

    def find_missing(self, paths: Iterable[str]) -> list[str]:
        """Return the paths of the skeletons that do not exist, without reading them."""
        loose: list[str] = []
        missing: list[str] = []
        groups: dict[str, list[str]] = {}
        for path in paths:
            pack = self._pack(path)
            (loose if pack is None else groups.setdefault(pack.path, [])).append(path)
        for name, group in groups.items():
            rows = self._open[name].find_paths(group)
            missing += [path for path, row in zip(group, rows.tolist(), strict=True) if row < 0]
        return missing + find_missing(loose)

    def _pack(self, path: str) -> PackedSkeletons | None:
        """Return the packed file that holds a skeleton, None if there is none."""
        if self._last is not None and path.startswith(self._last.prefix):
            return self._last
        folder = path[: path.rfind(os.sep)]
        if folder not in self._packs:
            name = find_pack(folder)
            self._packs[folder] = None if name is None else self._opened(name)
        self._last = self._packs[folder]
        return self._last

    def _opened(self, name: str) -> PackedSkeletons:
        """Open a packed file, once."""
        if name not in self._open:
            pack = PackedSkeletons(name)
            if pack.layout != self.layout or pack.keypoints.shape[1:] != (self.num_joints, 3):
                raise ValueError(
                    f'{name} holds skeletons of layout {pack.layout!r} and shape '
                    f'{pack.keypoints.shape[1:]}, LoadSkeletons expects layout {self.layout!r} '
                    f'and shape {(self.num_joints, 3)}'
                )
            self._open[name] = pack
        return self._open[name]

    def _read_one(self, path: str) -> np.ndarray | None:
        """Read one skeleton, float32, (V, 3), None if there is none."""
        pack = self._pack(path)
        if pack is not None:
            row = pack.find_paths([path])[0]
            if row < 0 or not pack.found[row]:
                return None
            _check_finite(pack.keypoints[row], path)
            return pack.keypoints[row]
        content = read_skeleton_file(path, self.num_joints)
        return None if content is None else content[0]


def _check_finite(skeletons: np.ndarray, path: str) -> None:
    """Refuse packed coordinates that are NaN or infinite, as those of JSON files are."""
    if not np.isfinite(skeletons).all():
        raise SkeletonFileError(
            'nan', f'{path} holds NaN or infinite coordinates; extract and pack them again'
        )
