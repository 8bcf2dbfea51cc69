"""Names of frames in folders: which are images, and in which order they were filmed."""

import os
import re
from collections import Counter
from collections.abc import Iterable

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp')

# Images that no data set reads; to pass over them in silence would lose frames.
_OTHER_IMAGES = (
    *('.tif', '.tiff', '.webp', '.gif', '.ppm', '.pgm', '.pnm', '.jp2', '.jpe', '.jfif'),
    *('.heic', '.avif', '.dib', '.exr', '.tga'),
)
_DIGITS = re.compile(r'(\d+)')
_ALL_ZEROS = str.maketrans('123456789', '000000000')


def natural_key(name: str) -> tuple[tuple[str | int, ...], str]:
    """Return a key that sorts 'frame9' before 'frame10', and 'frame01' beside 'frame1'."""
    parts = _DIGITS.split(name)  # text and digits in turn
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts)), name


def natural_sorted(names: Iterable[str]) -> list[str]:
    """Sort names by the numbers in them, whatever order they come in."""
    names = list(names)
    # Names with their digits in the same places sort by text as they do by numbers.
    if len({name.translate(_ALL_ZEROS) for name in names}) <= 1:
        return sorted(names)
    return sorted(names, key=natural_key)


def list_frames(folder: str) -> list[str]:
    """Return the names of the images in a folder, in natural order.

    Every reader of a folder of frames takes this function, so that all have the same frames in
    the same order. Hidden files are left out: macOS puts a ``._1.jpg`` beside every ``1.jpg``
    it copies.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds images of a kind that is not read.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'folder {folder} not found; see README, "Data"')
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name[0] != '.' and not entry.is_dir()]
    frames = [name for name in names if name.lower().endswith(IMAGE_SUFFIXES)]
    if any(name.lower().endswith(_OTHER_IMAGES) for name in names):
        found = Counter(os.path.splitext(name)[1] for name in names)
        counts = ', '.join(f'{count} {suffix}' for suffix, count in sorted(found.items()))
        raise ValueError(
            f'{folder} holds images that are not read: read are {", ".join(IMAGE_SUFFIXES)}, '
            f'found are {counts}; convert them, or move what is no frame elsewhere'
        )
    return natural_sorted(frames)


def require_frames(folder: str) -> list[str]:
    """Return the names of the images in a folder, at least one.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it holds no image, or images of a kind that is not read.
    """
    frames = list_frames(folder)
    if not frames:
        suffixes = {os.path.splitext(n)[1] or n for n in os.listdir(folder) if n[0] != '.'}
        found = f'found are {", ".join(sorted(suffixes)[:5])}' if suffixes else 'it is empty'
        raise ValueError(
            f'{folder} holds no image: read are {", ".join(IMAGE_SUFFIXES)}, {found}; delete the '
            'folder or fill it'
        )
    return frames


def list_folders(folder: str) -> list[str]:
    """Return the names of the folders in a folder, in natural order, without hidden ones.

    Raises:
        FileNotFoundError: If there is no such folder.
    """
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'folder {folder} not found; see README, "Data"')
    with os.scandir(folder) as entries:
        return natural_sorted(e.name for e in entries if e.is_dir() and e.name[0] != '.')
