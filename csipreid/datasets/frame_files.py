"""Names of frames in folders: which are images, and in which order they were filmed."""

import os
import re
from collections.abc import Iterable

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp')

_DIGITS = re.compile(r'(\d+)')


def natural_key(name: str) -> tuple[str | int, ...]:
    """Return a key that sorts 'frame9' before 'frame10'."""
    parts = _DIGITS.split(name)  # text and digits in turn
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts))


def natural_sorted(names: Iterable[str]) -> list[str]:
    """Sort names by the numbers in them; names of equal length need no key."""
    names = list(names)
    if len({len(name) for name in names}) <= 1:
        return sorted(names)
    return sorted(names, key=natural_key)


def list_frames(folder: str) -> list[str]:
    """Return the names of the images in a folder, in natural order.

    Hidden files are left out: macOS puts a ``._1.jpg`` beside every ``1.jpg`` it copies.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'folder {folder} not found; see README, "Data"')
    names = (entry.name for entry in os.scandir(folder))
    return natural_sorted(n for n in names if n.lower().endswith(IMAGE_SUFFIXES) and n[0] != '.')


def list_folders(folder: str) -> list[str]:
    """Return the names of the folders in a folder, in natural order, without hidden ones.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'folder {folder} not found; see README, "Data"')
    with os.scandir(folder) as entries:
        return natural_sorted(e.name for e in entries if e.is_dir() and e.name[0] != '.')
