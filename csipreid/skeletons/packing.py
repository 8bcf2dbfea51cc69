"""From a folder of skeleton files to one packed file."""

import os
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from csipreid.skeletons.files import read_skeleton_file
from csipreid.skeletons.layouts import get_layout
from csipreid.skeletons.packed import PACK_SUFFIX, write_pack
from csipreid.worker_processes import worker_pool

_CHUNK = 1024  # files that a process reads at a time


def pack_folder(
    folder: str | os.PathLike,
    layout: str = 'h36m',
    num_workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Pack all skeleton files below a folder into one file beside it.

    Args:
        folder: Folder of JSON files, as deep as may be.
        layout: Joint layout of the files.
        num_workers: Processes that read.
        progress: Called with the number of files read and of all files.

    Returns:
        Path of the packed file.

    Raises:
        FileNotFoundError: If there is no file to pack.
        ValueError: If a file is broken; it is named, and nothing is written.
    """
    folder = os.fspath(folder).rstrip(os.sep)
    num_joints = get_layout(layout).num_joints
    names = sorted(_list_files(folder))
    if not names:
        raise FileNotFoundError(f'no skeleton file in {folder}; extract skeletons first')
    keypoints = np.zeros((len(names), num_joints, 3), np.float32)
    confidence = np.full(len(names), np.nan, np.float32)
    found = np.zeros(len(names), bool)
    starts = range(0, len(names), _CHUNK)
    chunks = [[os.path.join(folder, f'{n}.json') for n in names[s : s + _CHUNK]] for s in starts]
    done = 0
    for part in _read_chunks(chunks, num_joints, num_workers):
        rows = slice(done, done + len(part[0]))
        keypoints[rows], confidence[rows], found[rows] = part
        done = rows.stop
        if progress is not None:
            progress(done, len(names))
    path = folder + PACK_SUFFIX
    slashed = names if os.sep == '/' else [name.replace(os.sep, '/') for name in names]
    write_pack(path, slashed, keypoints, confidence, found, layout)
    return path


def _list_files(folder: str) -> Iterator[str]:
    """Yield the skeleton files below a folder, relative to it and without their suffix."""
    for place, _, files in os.walk(folder):
        relative = os.path.relpath(place, folder)
        for name in files:
            if name.endswith('.json') and name[0] != '.':
                yield os.path.normpath(os.path.join(relative, name.removesuffix('.json')))


def _read_chunks(
    chunks: list[list[str]], num_joints: int, num_workers: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield what the files of each chunk hold, in order."""
    read = partial(_read_chunk, num_joints=num_joints)
    if num_workers <= 1:
        yield from map(read, chunks)
        return
    with worker_pool(num_workers) as pool:
        yield from pool.map(read, chunks)


def _read_chunk(paths: list[str], num_joints: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read files: joints (n, V, 3), confidence (n,) and whether there is a skeleton (n,)."""
    keypoints = np.zeros((len(paths), num_joints, 3), np.float32)
    confidence = np.full(len(paths), np.nan, np.float32)
    found = np.zeros(len(paths), bool)
    for index, path in enumerate(paths):
        content = read_skeleton_file(path, num_joints)
        if content is not None:
            keypoints[index], confidence[index] = content
            found[index] = True
    return keypoints, confidence, found
