"""Types of command-line arguments: what cannot be is refused before any work."""

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path

_IMAGES = ('.png', '.jpg', '.jpeg', '.bmp', '.webp')


def whole(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    """Return a type for whole numbers of a range, both ends included."""
    wanted = f'a whole number from {lowest}' + ('' if highest is None else f' to {highest}')

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f'must be {wanted}, got {text!r}') from None
        if value < lowest or (highest is not None and value > highest):
            raise argparse.ArgumentTypeError(f'must be {wanted}, got {value}')
        return value

    return read


def real(
    lowest: float = -math.inf, highest: float = math.inf, above: float = -math.inf
) -> Callable[[str], float]:
    """Return a type for finite numbers of a range.

    Args:
        lowest: The smallest allowed.
        highest: The largest allowed.
        above: A bound that is not allowed itself.
    """
    bounds = [f'from {lowest:g}'] if lowest > -math.inf else []
    bounds += [f'above {above:g}'] if above > -math.inf else []
    bounds += [f'to {highest:g}'] if highest < math.inf else []
    wanted = ' '.join(['a number', *bounds])

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and lowest <= value <= highest and value > above):
            raise argparse.ArgumentTypeError(f'must be {wanted}, got {text!r}')
        return value

    return read


def device(text: str) -> str:
    """Read the name of a device on which torch can compute now."""
    import torch  # not every tool needs it

    try:
        torch.empty(0, device=text).cpu()
    except Exception as error:  # each kind of device has errors of its own
        reason = str(error).partition('\n')[0]
        raise argparse.ArgumentTypeError(f'cannot compute on {text!r}: {reason}') from None
    return text


def output_file(text: str) -> Path:
    """Read the name of a file that can be written."""
    return _writable(text, file=True)


def image_file(text: str) -> Path:
    """Read the name of an image that can be written."""
    if not text.lower().endswith(_IMAGES):
        raise argparse.ArgumentTypeError(f'must end in one of {", ".join(_IMAGES)}, got {text!r}')
    return _writable(text, file=True)


def output_folder(text: str) -> Path:
    """Read the name of a folder in which can be written."""
    return _writable(text, file=False)


def _writable(text: str, file: bool) -> Path:
    """Return a path after looking whether it can be written."""
    reason = why_not_writable(text, file)
    if reason:
        raise argparse.ArgumentTypeError(f'{text!r} {reason}')
    return Path(text)


def why_not_writable(path: str | Path, file: bool = True) -> str | None:
    """Say why a file or a folder cannot be written, as far as that can be known before.

    Args:
        path: File or folder; folders above it may be missing, they can be made.
        file: Whether it is to be a file.

    Returns:
        The reason, such as 'is a folder; name a file'; None if there is none.
    """
    if not str(path) or '\0' in str(path):
        return f'is no name of a {"file" if file else "folder"}'
    path = Path(path)
    try:
        if file and path.is_dir():
            return 'is a folder; name a file'
        if not file and path.exists() and not path.is_dir():
            return 'is a file; name a folder'
        nearest = path if not file and path.is_dir() else path.absolute().parent
        while not nearest.exists():
            nearest = nearest.parent
    except OSError as error:
        return f'cannot be written: {error.strerror}'
    if not nearest.is_dir():
        return f'cannot be written: {nearest} is a file'
    if not os.access(nearest, os.W_OK | os.X_OK) or (
        file and path.exists() and not os.access(path, os.W_OK)
    ):
        return f'cannot be written: there is no right to write in {nearest}'
    return None
