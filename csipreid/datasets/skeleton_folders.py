"""Where the skeletons of a data set lie: in a folder that mirrors the frames."""

import os
from collections.abc import Iterable

from csipreid.skeletons.packed import find_pack

# What the README of the published code says, and what its code reads.
SKELETON_FOLDERS = ('skeleton_3d', 'skeleton_3d_hmr2.0')


def find_skeleton_folder(
    data_root: str, part: str, candidates: Iterable[str] = SKELETON_FOLDERS
) -> str:
    """Return the folder of the skeletons of one part of a data set.

    Args:
        data_root: Folder of the data set.
        part: Folder of the part below a candidate, like ``bbox_train``; may be empty.
        candidates: Folders to look in, relative to ``data_root``; the first in which the part
            lies as a folder or a packed file is taken, or else the first of all.
    """
    folders = [os.path.join(data_root, candidate, part).rstrip(os.sep) for candidate in candidates]
    present = [folder for folder in folders if os.path.isdir(folder) or find_pack(folder)]
    return (present or folders)[0]


def skeleton_name(frame: str) -> str:
    """Return the name of the skeleton file that belongs to a frame's name or path."""
    return f'{os.path.splitext(frame)[0]}.json'
