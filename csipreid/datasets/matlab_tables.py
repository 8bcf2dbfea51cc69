"""Integer tables in MATLAB files, whichever way they were saved."""

from pathlib import Path

import numpy as np
from scipy.io import loadmat

from csipreid.file_content import describe_content

_HDF5_SIGNATURE = b'\x89HDF\r\n\x1a\n'
_HDF5_OFFSETS = (0, 512, 1024, 2048)


def read_integers(path: Path, key: str) -> np.ndarray:
    """Read one matrix of whole numbers from a MATLAB file.

    The numbers may be stored as any integer or float type, as a cell array, or as a struct
    whose fields are the columns (not in version 7.3, which needs h5py). A file with a single
    variable needs no particular key.

    Args:
        path: The file, MATLAB version 4 to 7.3.
        key: Name of the variable.

    Returns:
        The matrix, int64, never squeezed.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file cannot be read, lacks the variable, or holds anything but
            whole numbers; or if it is of version 7.3 and h5py is not installed.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path} not found; see README, "Data", for the folder layout')
    try:
        variables = _read_hdf5(path) if _is_hdf5(path) else loadmat(path)
    except ImportError as error:
        raise ValueError(
            f"{path} is a MATLAB 7.3 file, which needs h5py; pip install 'csipreid[lsvid]'"
        ) from error
    except Exception as error:  # SciPy raises a different type for each kind of damage
        reason = describe_content(path) or error
        raise ValueError(f'{path} is not a readable MATLAB file: {reason}') from error
    variables = {name: value for name, value in variables.items() if name[:2] != '__'}
    if key not in variables and len(variables) != 1:
        raise ValueError(f'{path} must hold the variable {key!r}, got {sorted(variables)}')
    value = variables[key] if key in variables else next(iter(variables.values()))
    try:
        numbers = np.asarray(_plain(value))
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise ValueError(f'{path}, variable {key!r}, is not a matrix of numbers') from error
    if numbers.dtype.kind not in 'biuf':  # of texts, NumPy would make numbers
        raise ValueError(f'{path}, variable {key!r}, must hold real numbers, got {numbers.dtype}')
    if numbers.dtype.kind == 'b':
        return numbers.astype(np.int64)
    strange = numbers[~np.isfinite(numbers) | (numbers != np.round(numbers))]
    if strange.size or (numbers.size and np.abs(numbers.astype(np.float64)).max() >= 2**53):
        got = f', got {strange[0]}' if strange.size else ' that are exact (below 2^53)'
        raise ValueError(f'{path}, variable {key!r}, must hold whole numbers only{got}')
    return numbers.astype(np.int64)


def _is_hdf5(path: Path) -> bool:
    """Tell a MATLAB 7.3 file: HDF5, whose signature may stand after a block of text."""
    with open(path, 'rb') as file:
        head = file.read(_HDF5_OFFSETS[-1] + len(_HDF5_SIGNATURE))
    return any(head[start:].startswith(_HDF5_SIGNATURE) for start in _HDF5_OFFSETS)


def _read_hdf5(path: Path) -> dict[str, np.ndarray]:
    """Read the numeric variables of a MATLAB 7.3 file, which stores columns first."""
    import h5py

    with h5py.File(path, 'r') as file:
        return {
            name: np.asarray(value).T
            for name, value in file.items()
            if isinstance(value, h5py.Dataset) and value.dtype.kind in 'iuf'
        }


def _plain(value: np.ndarray) -> np.ndarray:
    """Turn nested structs and cells into one matrix."""
    if value.dtype.names:  # struct (array): fields are columns, elements are stacked
        columns = [
            np.concatenate([np.atleast_2d(_plain(element)) for element in value[name].ravel()])
            for name in value.dtype.names
        ]
        if len(columns) == 1:
            return columns[0]
        return np.column_stack([column.ravel() for column in columns])
    if value.dtype == object:  # cell array
        if value.size == 1:
            return _plain(value.item())
        cells = [_plain(np.asarray(element)).item() for element in value.ravel()]
        return np.array(cells).reshape(value.shape)
    return value
