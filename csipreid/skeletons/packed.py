"""Many skeletons in one file that is read by memory map."""

import math
import os
import platform
import struct
import zipfile
from collections.abc import Sequence

import numpy as np

# A folder of skeleton files `bbox_train` is packed into `bbox_train.skeletons.npz` beside it.
PACK_SUFFIX = '.skeletons.npz'

_SUFFIX = b'.json'
_ARRAYS = ('names', 'keypoints', 'confidence', 'found', 'layout')
_ALIGNMENT = 64  # bytes; np.take copies a whole array that is not aligned
_LOCAL_HEADER = 30  # bytes of a file's header in a zip archive, before its name
_ZIP64_EXTRA = 20  # bytes that zipfile adds to each header
_HIGHEST = 8  # folders to look at on the way up


def find_pack(folder: str) -> str | None:
    """Return the packed file that holds a folder of skeletons, None if there is none.

    The folder itself, which need not exist, and the folders above it may be packed.
    """
    for _ in range(_HIGHEST):
        if not os.path.basename(folder):
            break
        if os.path.isfile(folder + PACK_SUFFIX):
            return folder + PACK_SUFFIX
        folder = os.path.dirname(folder)
    return None


class PackedSkeletons:
    """Skeletons of one part of a data set, in one file.

    Nothing is read until it is asked for, and what is read belongs to the operating system:
    processes that open the same file share its memory. The file is an uncompressed ``.npz``,
    which ``numpy.load`` reads too.

    Args:
        path: The packed file.

    Attributes:
        names: Frames, ascending: path of the skeleton file relative to the packed folder,
            without its suffix, with ``/``; UTF-8 bytes, (N,).
        keypoints: Joint positions in metres, float32, (N, V, 3); zero where not found.
        confidence: Confidence of each skeleton in [0, 1], NaN if not known, float32, (N,).
        found: Whether the frame has a skeleton, bool, (N,).
        layout: Name of the joint layout.
        prefix: Beginning that all paths of the packed folder share.

    Raises:
        ValueError: If the file is broken.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.prefix = path.removesuffix(PACK_SUFFIX) + os.sep
        self._head = self.prefix.encode()
        self._between = _SUFFIX + b'\n' + self._head
        try:
            arrays = _map_arrays(path)
            _check_arrays(arrays)
        except Exception as error:  # torn and foreign archives break zipfile in a dozen ways
            raise ValueError(
                f'{path} is not a whole file of packed skeletons ({error}); pack them again with '
                'tools/dataset_converters/pack_skeletons.py'
            ) from error
        self.names, self.keypoints = arrays['names'], arrays['keypoints']
        self.confidence, self.found = arrays['confidence'], arrays['found']
        self._size, self._dtype = len(self.names), self.names.dtype
        self.layout = str(arrays['layout'].item())

    def __len__(self) -> int:
        return len(self.names)

    def find(self, names: Sequence[str]) -> np.ndarray:
        """Return the rows of n names, -1 for a name that is not there, int64, (n,)."""
        return self._search([name.encode() for name in names])

    def find_paths(self, paths: Sequence[str]) -> np.ndarray:
        """Return the rows of skeleton files by their paths, -1 for those that are not there.

        A path that does not begin with :attr:`prefix` is not there.
        """
        # One split of all paths at once takes a third of the time of a loop.
        text = '\n'.join(paths).encode()
        names = text[len(self._head) : -len(_SUFFIX)].split(self._between)
        if (
            len(names) != len(paths)
            or not text.startswith(self._head)
            or not text.endswith(_SUFFIX)
            or os.sep != '/'
        ):
            names = [self._name_of(path) for path in paths]
        return self._search(names)

    def _name_of(self, path: str) -> bytes:
        """Return the name under which a path is stored; one that no frame has for others."""
        if not path.startswith(self.prefix):
            return b'\n'
        name = os.path.splitext(path[len(self.prefix) :])[0]
        return name.replace(os.sep, '/').encode()

    def _search(self, names: list[bytes]) -> np.ndarray:
        """Search encoded names."""
        if not self._size:
            return np.full(len(names), -1)
        keys = np.array(names)
        if keys.dtype is not self._dtype and keys.dtype != self._dtype:
            # Of the same type, or NumPy would convert all names. It cuts those too long.
            keys = keys.astype(self._dtype)
            fits = np.array([len(name) <= keys.dtype.itemsize for name in names])
        else:
            fits = None
        rows = self.names.searchsorted(keys)
        hits = self.names.take(rows, mode='clip')
        if hits.tobytes() != keys.tobytes():
            rows[hits != keys] = -1
        if fits is not None:
            rows[~fits] = -1
        return rows


def write_pack(
    path: str | os.PathLike,
    names: Sequence[str],
    keypoints: np.ndarray,
    confidence: np.ndarray,
    found: np.ndarray,
    layout: str,
) -> None:
    """Write packed skeletons under a temporary name, then rename the file.

    Equal skeletons give equal bytes, in whatever order they come.

    Args:
        path: File to write.
        names: Frames, see :class:`PackedSkeletons`, N of them.
        keypoints: Metres, float32, (N, V, 3).
        confidence: In [0, 1] or NaN, float32, (N,).
        found: Whether the frame has a skeleton, bool, (N,).
        layout: Name of the joint layout.

    Raises:
        ValueError: If the arrays differ in length or a name comes twice.
    """
    if not len(names) == len(keypoints) == len(confidence) == len(found):
        raise ValueError(
            'names, keypoints, confidence and found must be of one length, got '
            f'{len(names)}, {len(keypoints)}, {len(confidence)} and {len(found)}'
        )
    encoded = np.array([name.encode() for name in names], dtype='S' if names else 'S1')
    order = np.argsort(encoded, kind='stable')
    encoded = encoded[order]
    if (encoded[1:] == encoded[:-1]).any():
        twice = encoded[1:][encoded[1:] == encoded[:-1]][0].decode()
        raise ValueError(f'frame {twice!r} comes twice; each frame has one skeleton')
    arrays = dict(
        names=encoded,
        keypoints=np.asarray(keypoints, np.float32)[order],
        confidence=np.asarray(confidence, np.float32)[order],
        found=np.asarray(found, bool)[order],
        layout=np.array([layout]),
    )
    partial = f'{os.fspath(path)}.partial-{platform.node()}-{os.getpid()}'
    _remove_leftovers(os.fspath(path))
    try:
        with zipfile.ZipFile(partial, 'w', zipfile.ZIP_STORED) as archive:
            for name, array in arrays.items():
                _write_array(archive, f'{name}.npy', array)
        os.replace(partial, path)
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def _remove_leftovers(path: str) -> None:
    """Remove what processes of this machine left that were killed while they wrote."""
    beginning = f'{os.path.basename(path)}.partial-{platform.node()}-'
    folder = os.path.dirname(path) or '.'
    for name in os.listdir(folder):
        number = name.removeprefix(beginning)
        if name.startswith(beginning) and number.isdigit() and not _is_alive(int(number)):
            os.remove(os.path.join(folder, name))


def _is_alive(process: int) -> bool:
    """Return whether a process runs; where that cannot be asked, it is taken to."""
    if os.name != 'posix':
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _write_array(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    """Store one array so that its data begin at a multiple of the alignment."""
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    position = archive.fp.tell() if archive.fp else 0
    start = position + _LOCAL_HEADER + len(name) + _ZIP64_EXTRA
    padding = 4 + (-start - 4) % _ALIGNMENT  # an extra field has a header of 4 bytes
    info.extra = struct.pack('<HH', 0xCAFE, padding - 4) + bytes(padding - 4)
    with archive.open(info, 'w', force_zip64=True) as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def _check_arrays(arrays: dict[str, np.ndarray]) -> None:
    """Refuse arrays of other shapes or types than :func:`write_pack` writes.

    Raises:
        ValueError: If one is; it is named.
    """
    names = arrays['names']
    wanted = dict(names=('S', 1), keypoints=('f4', 3), confidence=('f4', 1), found=('b1', 1))
    for key, (kind, ndim) in wanted.items():
        array = arrays[key]
        of_kind = array.dtype.kind == 'S' if kind == 'S' else array.dtype == kind
        if not of_kind or array.ndim != ndim or len(array) != len(names):
            raise ValueError(
                f'{key} must have {ndim} axes, the type {kind} and a row for each of the '
                f'{len(names)} names, got {array.dtype} of shape {array.shape}'
            )
    if arrays['layout'].shape != (1,) or arrays['layout'].dtype.kind != 'U':
        raise ValueError('layout must be one name')
    # Names are found by bisection, which in any other order misses some in silence.
    if not (names[1:] > names[:-1]).all():
        raise ValueError('names must ascend, each once')


def _map_arrays(path: str) -> dict[str, np.ndarray]:
    """Map the arrays of an uncompressed ``.npz`` file."""
    arrays = {}
    with zipfile.ZipFile(path) as archive, open(path, 'rb') as file:
        for key in _ARRAYS:
            info = archive.getinfo(f'{key}.npy')
            if info.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f'{key} is compressed')
            file.seek(info.header_offset)
            header = file.read(_LOCAL_HEADER)
            name_length, extra_length = struct.unpack('<HH', header[-4:])
            file.seek(name_length + extra_length, os.SEEK_CUR)
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0
            if version != (1, 0):
                read = np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            if dtype.hasobject:
                raise ValueError(f'{key} holds objects')
            size = math.prod(shape) * dtype.itemsize
            begin = info.header_offset + _LOCAL_HEADER + name_length + extra_length
            if file.tell() + size != begin + info.file_size:
                raise ValueError(f'{key} is not as long as its shape {shape}')
            if 0 in shape:
                arrays[key] = np.zeros(shape, dtype)
                continue
            mapped = np.memmap(path, dtype, 'r', file.tell(), shape)
            arrays[key] = np.asarray(mapped)  # the plain array is faster to index
    return arrays
