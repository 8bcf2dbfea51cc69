"""Reading and writing checkpoints safely, and filling modules from them."""

import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from csipreid.file_content import describe_content
from csipreid.torchscript_archive import is_torchscript

_MOST = 10**6  # identities or cameras; more would fill the memory with a classifier
_SHOWN = 5  # keys named in an error before "and n more"


def read_checkpoint(path: str | Path, map_location: Any = 'cpu') -> dict[str, Any]:
    """Read a checkpoint file without running code from it.

    Args:
        path: File written by a training run, a converter or ``torch.save``.
        map_location: Where the tensors go; see :func:`torch.load`.

    Returns:
        A dict with ``state_dict`` (a bare state dict is wrapped into one) and,
        for a training checkpoint, ``meta``, ``optimizer`` and more.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is torn, holds pickled code or no weights.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'checkpoint {path} not found')
    if is_torchscript(path):
        raise ValueError(
            f'{path} is a TorchScript archive, a program and no state dict; '
            'tools/model_converters/clip_to_csipreid.py reads the weights of CLIP in one'
        )
    try:
        checkpoint = torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:  # a torn pickle breaks torch in a dozen ways
        raise ValueError(_unreadable(path, error)) from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f'{path} holds a {type(checkpoint).__name__}, expected a state dict')
    if 'state_dict' not in checkpoint:
        checkpoint = {'state_dict': checkpoint}
    state = checkpoint['state_dict']
    if (
        not state
        or not isinstance(state, Mapping)
        or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items())
    ):
        raise ValueError(f'{path} holds no state dict of tensors')
    meta = checkpoint.get('meta') or {}
    if not isinstance(meta, dict) or not isinstance(meta.get('dataset_meta') or {}, dict):
        raise ValueError(f'{path}: meta and its dataset_meta must be dicts')
    return checkpoint


def _unreadable(path: Path, error: Exception) -> str:
    """Say why a file was not read; torch's own words advise to load it with its code."""
    content = describe_content(path)
    if content is not None:
        return f'{path} is not a checkpoint but {content}'
    if isinstance(error, pickle.UnpicklingError):
        return (
            f'{path} is not a plain checkpoint: it holds Python objects, which are not loaded '
            'because they could run code; save tensors and plain values only'
        )
    return (
        f'checkpoint {path} cannot be read; it is truncated or not a checkpoint '
        f'({type(error).__name__})'
    )


def write_checkpoint(content: Mapping[str, Any], path: str | Path) -> None:
    """Write a checkpoint under a temporary name, then rename it.

    Args:
        content: ``state_dict``, ``meta`` and more: tensors and plain values, so
            that :func:`read_checkpoint` can read the file.
        path: File to write; its folder is made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'{path.name}.partial')
    try:
        torch.save(dict(content), partial)
        put_in_place(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def put_in_place(partial: Path, path: Path) -> None:
    """Give a file that was written under a temporary name its own, once it is on the disk."""
    with partial.open('rb') as file:
        os.fsync(file.fileno())
    os.replace(partial, path)


def data_sizes(checkpoint: Mapping[str, Any], source: str) -> dict[str, int]:
    """Return ``num_ids`` and ``num_cams`` of the data a checkpoint was trained on.

    Raises:
        ValueError: If the checkpoint does not say, or no number that could be.
    """
    meta = (checkpoint.get('meta') or {}).get('dataset_meta') or {}
    if not {'num_ids', 'num_cams'} <= set(meta):
        raise ValueError(
            f'checkpoint {source} does not say how many identities and cameras it was trained '
            'on (meta.dataset_meta); is it a checkpoint of this toolbox?'
        )
    sizes = {name: meta[name] for name in ('num_ids', 'num_cams')}
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _MOST:
            raise ValueError(
                f'checkpoint {source}: meta.dataset_meta.{name} must be a whole number up to '
                f'{_MOST}, got {size!r:.60}'
            )
    return sizes


def select_part(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """Return the entries below ``part.`` without that prefix.

    A state dict in which no key starts with the prefix is taken to be the
    part's own, for example a converted image tower.
    """
    prefix = f'{part}.'
    chosen = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    return chosen or dict(state)


def fill_module(
    module: nn.Module,
    state: Mapping[str, Tensor],
    source: str,
    optional: tuple[str, ...] = (),
) -> None:
    """Load a state dict that has to fit exactly.

    Args:
        module: Module to fill.
        state: Its state dict.
        source: What the weights are, for the error message.
        optional: Prefixes of keys that may be absent from ``state``.

    Raises:
        ValueError: If a key is missing or unexpected, or a shape differs.
    """
    try:
        result = module.load_state_dict(dict(state), strict=False)
    except RuntimeError as error:  # torch's way to report shapes
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        raise ValueError(f'{source} does not fit: {first_few(lines)}') from error
    missing = [key for key in result.missing_keys if not key.startswith(optional or ('\0',))]
    complaints = []
    if missing:
        complaints.append(f'{len(missing)} keys are missing from it: {first_few(missing)}')
    if result.unexpected_keys:
        unexpected = result.unexpected_keys
        complaints.append(f'{len(unexpected)} of its keys are unknown: {first_few(unexpected)}')
    if complaints:
        raise ValueError(f'{source} does not fit: ' + '; '.join(complaints))


def first_few(items: list[str]) -> str:
    """Name the first few items and count the rest."""
    rest = len(items) - _SHOWN
    return ', '.join(items[:_SHOWN]) + (f' and {rest} more' if rest > 0 else '')
