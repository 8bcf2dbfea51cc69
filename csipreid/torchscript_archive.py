"""Weights in a TorchScript archive, read without the program that it holds.

``torch.jit.load`` runs methods of the program, which may write files. Here the
archive is read as what it is, a zip of storages and a pickle that names them.
"""

import collections
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_DEEPEST = 100  # modules within modules
_DTYPES = {
    'DoubleStorage': torch.float64,
    'FloatStorage': torch.float32,
    'HalfStorage': torch.float16,
    'BFloat16Storage': torch.bfloat16,
    'LongStorage': torch.int64,
    'IntStorage': torch.int32,
    'ShortStorage': torch.int16,
    'CharStorage': torch.int8,
    'ByteStorage': torch.uint8,
    'BoolStorage': torch.bool,
}


def is_torchscript(path: str | Path) -> bool:
    """Tell whether a file is an archive of a model with its code, as OpenAI's are."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith('/constants.pkl') for name in archive.namelist())
    except (OSError, zipfile.BadZipFile, UnicodeDecodeError):
        return False


def read_torchscript(path: str | Path) -> dict[str, Tensor]:
    """Read all tensors of the modules in an archive.

    Args:
        path: File that ``torch.jit.save`` wrote.

    Returns:
        Parameters and buffers by name, as in the state dict of the loaded module, and
        other tensors that are attributes of modules.

    Raises:
        ValueError: If it is torn, or holds anything but modules of tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            name = next(n for n in archive.namelist() if n.endswith('/constants.pkl'))
            folder = name.removesuffix('constants.pkl')
            with archive.open(f'{folder}data.pkl') as file:
                module = _Unpickler(file, archive, folder).load()
            return dict(_tensors(module, '', _DEEPEST))
    except Exception as error:  # a torn archive breaks zipfile and pickle in a dozen ways
        raise ValueError(
            f'{path} cannot be read; it is truncated or not a TorchScript archive '
            f'({type(error).__name__})'
        ) from error


class _Module:
    """Stands for an object of any class of the program."""

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)


class _Unpickler(pickle.Unpickler):
    """Make modules and tensors, and nothing else."""

    def __init__(self, file: Any, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(file)
        self._archive = archive
        self._folder = folder

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a class or function of the archive."""
        if module == '__torch__' or module.startswith('__torch__.'):
            return _Module
        if (module, name) == ('torch._utils', '_rebuild_tensor_v2'):
            return _rebuild
        if (module, name) == ('collections', 'OrderedDict'):
            return collections.OrderedDict
        if module == 'torch.jit._pickle':  # marks of the types of lists
            return _first
        if module == 'torch' and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f'{module}.{name}')

    def persistent_load(self, pid: Any) -> Tensor:
        """Read a storage as a flat tensor."""
        _, dtype, key, _, _ = pid
        info = self._archive.getinfo(f'{self._folder}data/{key}')
        if info.compress_type != zipfile.ZIP_STORED:
            raise pickle.UnpicklingError('a storage is compressed')
        content = bytearray(self._archive.read(info))
        return torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)


def _rebuild(storage: Tensor, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    """Return a part of a storage; torch refuses what is not within it."""
    return storage.as_strided(size, stride, offset)


def _first(value: Any, *_: Any) -> Any:
    """Return a list without the mark of its type."""
    return value


def _tensors(module: Any, prefix: str, depth: int) -> Any:
    """Yield the tensors of a module and of those within it, with their names."""
    if not depth:
        raise ValueError('modules are nested too deeply')
    for name, value in vars(module).items():
        if isinstance(value, Tensor):
            yield f'{prefix}{name}', value
        elif isinstance(value, _Module):
            yield from _tensors(value, f'{prefix}{name}.', depth - 1)
