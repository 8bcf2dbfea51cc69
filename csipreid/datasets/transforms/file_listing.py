"""Which of many files exist, found by listing folders."""

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


def _list(folder: str) -> set[str] | None:
    """List a folder; None if it does not exist."""
    try:
        return set(os.listdir(folder or '.'))
    except (FileNotFoundError, NotADirectoryError):
        return None
