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
    next one.

    Args:
        folder: Where the finished files belong. What is there is replaced.

    Yields:
        The empty working folder.
    """
    partial = folder.with_name(f'.{folder.name}.partial')
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
