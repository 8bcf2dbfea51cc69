"""What extracted skeletons were made from, so that a later run knows which still hold."""

import hashlib
import json
import os
import zlib
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any

from csipreid.datasets.mot_boxes import TrackedBox
from csipreid.skeletons.files import read_origin

_BLOCK = 1 << 20  # bytes that are read at a time


def describe_recipe(estimator: dict[str, Any]) -> str:
    """Return a digest of an estimator's config and of the files that it names."""
    # 'file.py:name' names a file too.
    names = [
        text for value in estimator.values() for text in (value, str(value).rpartition(':')[0])
    ]
    files = {str(name): _checksum(name) for name in names if os.path.isfile(str(name))}
    text = json.dumps([estimator, files], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def make_origin(source: str, target: str, box: TrackedBox | None, recipe: str) -> dict[str, str]:
    """Return what a skeleton file says about where it comes from.

    Args:
        source: Image or video.
        target: Skeleton file.
        box: The person in a frame of a video.
        recipe: Digest of the estimator.
    """
    state = os.stat(source)
    return dict(
        source=os.path.relpath(os.path.realpath(source), os.path.realpath(os.path.dirname(target))),
        size=str(state.st_size),
        modified=str(state.st_mtime_ns),
        checksum=str(_checksum_of(os.path.realpath(source), state.st_size, state.st_mtime_ns)),
        box='' if box is None else repr(tuple(box)),
        recipe=recipe,
    )


def is_current(source: str, target: str, box: TrackedBox | None, recipe: str) -> bool:
    """Return whether a skeleton file exists and is what would be made now.

    A source whose time differs while its size does not, as after a copy, is read.

    Raises:
        ValueError: If the file exists, but was not written by an extraction.
    """
    origin = read_origin(target)
    if origin is None:
        return False
    if not origin:
        raise ValueError(
            f'{target} was not written by extract_skeletons (it names no origin); move the '
            'skeletons of other origin elsewhere, or remove them'
        )
    try:
        state = os.stat(source)
    except OSError:
        return False
    same = dict(size=str(state.st_size), box='' if box is None else repr(tuple(box)), recipe=recipe)
    if any(origin.get(key) != value for key, value in same.items()):
        return False
    if origin.get('modified') == str(state.st_mtime_ns):
        return True
    checksum = _checksum_of(os.path.realpath(source), state.st_size, state.st_mtime_ns)
    return origin.get('checksum') == str(checksum)


def check_video_folder(folder: str, video: str) -> None:
    """Refuse a folder with skeletons of anything but one video.

    Raises:
        ValueError: If there is such a skeleton.
    """
    for path in _skeleton_files(folder):
        source = (read_origin(path) or {}).get('source', '')
        place = os.path.join(os.path.realpath(os.path.dirname(path)), source)
        if not source or os.path.realpath(place) != os.path.realpath(video):
            raise ValueError(
                f'{path} is no skeleton of {video}; each video needs a folder of its own'
            )


def remove_left_over(folder: str, targets: Collection[str], video: bool) -> int:
    """Remove the skeletons of an earlier extraction that belong to nothing any more.

    Args:
        folder: Folder of skeletons; those of other origin stay.
        targets: The skeletons that belong there.
        video: Whether all else is left over; otherwise that whose source is gone.

    Returns:
        How many were removed.
    """
    removed = 0
    for path in _skeleton_files(folder):
        if path in targets:
            continue
        source = (read_origin(path) or {}).get('source', '')
        place = os.path.join(os.path.realpath(os.path.dirname(path)), source)
        if source and (video or not os.path.exists(place)):
            os.remove(path)
            removed += 1
    return removed


def _skeleton_files(folder: str) -> Iterator[str]:
    """Yield the visible JSON files below a folder."""
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith('.json') and name[0] != '.':
                yield os.path.join(place, name)


def _checksum(path: str) -> int:
    """Return the CRC of a file's bytes."""
    value = 0
    with open(path, 'rb') as file:
        while block := file.read(_BLOCK):
            value = zlib.crc32(block, value)
    return value


@lru_cache(maxsize=8)
def _checksum_of(path: str, size: int, modified: int) -> int:
    """Return the CRC of a file that stays as it is: a video is read once, not for each box."""
    return _checksum(path)
