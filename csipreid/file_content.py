"""What a file is by its content, for messages about files that are not what they should be."""

from pathlib import Path

_BEGINNING = 512  # bytes looked at
_LFS = b'version https://git-lfs.github.com/spec/'
# Beginnings of files that are taken for others, and what to call them.
_PAGE = (b'<!doctype html', b'<html', b'<head')
_SIGNATURES = (
    (_LFS, 'a git-lfs pointer in the place of a file that was not fetched; `git lfs pull` does'),
    (b'\xff\xd8\xff', 'a JPEG image'),
    (b'\x89PNG', 'a PNG image'),
    (b'\x89HDF\r\n', 'an HDF5 file'),
    (b'MATLAB', 'a MATLAB file'),
    (b'\x93NUMPY', 'a NumPy array (.npy)'),
    (b'\x1f\x8b', 'a gzip archive, which has to be unpacked first'),
    (b'BZh', 'a bzip2 archive, which has to be unpacked first'),
    (b'7z\xbc\xaf', 'a 7z archive, which has to be unpacked first'),
    (b'%PDF', 'a PDF document'),
)


def describe_content(path: str | Path) -> str | None:
    """Say what a file is, if it is something that is taken for another by mistake.

    Args:
        path: File to look at; only its beginning is read.

    Returns:
        For example 'an HTML page' or 'plain text'; None for what may be anything, such
        as the archive of a checkpoint or of arrays.
    """
    with open(path, 'rb') as file:
        start = file.read(_BEGINNING)
    if not start:
        return 'an empty file'
    if not start.strip(b'\0'):
        return 'a file of zeros, as an interrupted copy leaves it'
    for signature, name in _SIGNATURES:
        if start.startswith(signature):
            return name
    text = start.lstrip(b'\xef\xbb\xbf \t\r\n').lower()
    if text.startswith(_PAGE):
        return 'an HTML page, as a download from behind a login or a limit gives it'
    if text.startswith((b'<?xml', b'<error')):
        return 'an XML document, as a refused download gives it'
    controls = sum(byte < 32 and byte not in b'\t\r\n\f\x1b' for byte in start)
    try:
        start[: start.rfind(b' ') + 1 or None].decode()
    except UnicodeDecodeError:
        return None
    if controls:
        return None
    return 'JSON' if text.startswith((b'{', b'[')) else 'plain text'


def read_text(path: str | Path) -> str:
    """Read a text file, UTF-8 with or without byte-order mark, in the lines of any system.

    Raises:
        ValueError: If it is no text, or a page or pointer in the place of the text.
    """
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
    except UnicodeDecodeError:
        text = '\0'
    if '\0' in text or text[:_BEGINNING].lstrip().lower().encode().startswith((*_PAGE, _LFS)):
        content = describe_content(path) or 'something else'
        raise ValueError(f'{path} must be a text file (UTF-8), but is {content}')
    return text
