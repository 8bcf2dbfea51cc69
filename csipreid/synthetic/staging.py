"""Writing a folder under another name until it is complete."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Give a working folder that takes the name of ``folder`` at the end.

    The working folder lies next to it and is called ``.<name>.partial``. It is
    removed when the block fails; what a killed process left is removed by the
    next one. A folder that is replaced steps aside as ``.<name>.old`` first, so
    that at no moment a part of it stands under its name.

    Args:
        folder: Where the finished files belong. What is there is replaced.

    Yields:
        The empty working folder.
    """
    partial, old = (folder.with_name(f'.{folder.name}.{end}') for end in ('partial', 'old'))
    if old.exists() and not folder.exists():  # killed between the two renames
        old.rename(folder)
    for path in (partial, old):
        shutil.rmtree(path, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if folder.exists():
            folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
