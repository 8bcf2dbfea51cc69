"""Which of many files exist and which are one file, found by listing folders."""

import os
from collections.abc import Iterable


def find_missing(paths: Iterable[str]) -> list[str]:
    """Return the paths at which no file lies, in the order given.

    Each folder is listed once, which on a million small files is far faster than asking for
    each of them. A name that is not listed is asked for after all, since some file systems
    find files under more spellings than the one they list.
    """
    listed: dict[str, set[str] | None] = {}
    missing = []
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in listed:
            listed[folder] = _list(folder)
        names = listed[folder]
        if names is None or (name not in names and not os.path.isfile(path)):
            missing.append(path)
    return missing


def find_twins(paths: Iterable[str]) -> list[tuple[str, str]]:
    """Return pairs of different paths that lead to one file, by symbolic or hard links.

    Folders are listed as above: a listing tells the number of each file, and only links have
    to be asked for. Paths at which no file lies have no twins.
    """
    listed: dict[str, dict[str, tuple[int, int]]] = {}
    first: dict[tuple[int, int], str] = {}
    twins = []
    for path in dict.fromkeys(paths):
        folder, name = os.path.split(path)
        if folder not in listed:
            listed[folder] = _identify(folder)
        identity = listed[folder].get(name)
        if identity is None:
            continue
        other = first.setdefault(identity, path)
        # On some file systems the numbers of a listing are not those of the files.
        if other != path and _is_same(other, path):
            twins.append((other, path))
    return twins


def _identify(folder: str) -> dict[str, tuple[int, int]]:
    """Return device and number of each file in a folder, empty if there is none."""
    try:
        device = os.stat(folder or '.').st_dev
        with os.scandir(folder or '.') as entries:
            return {
                entry.name: _followed(entry) if entry.is_symlink() else (device, entry.inode())
                for entry in entries
            }
    except OSError:
        return {}


def _followed(entry: os.DirEntry) -> tuple[int, int]:
    """Return device and number of the file that a link leads to, of its own if to none."""
    try:
        state = entry.stat()
    except OSError:
        state = entry.stat(follow_symlinks=False)
    return state.st_dev, state.st_ino


def _is_same(first: str, second: str) -> bool:
    """Return whether two paths lead to one file."""
    try:
        return os.path.samefile(first, second)
    except OSError:
        return False


def _list(folder: str) -> set[str] | None:
    """List a folder; None if it does not exist."""
    try:
        return set(os.listdir(folder or '.'))
    except (FileNotFoundError, NotADirectoryError):
        return None
