"""Weights that a config names in ``init_cfg``, read as all other checkpoints are.

MMEngine loads a file that holds Python objects after all, with a warning: their code
runs. Importing this module lets it read by :func:`csipreid.checkpoint.read_checkpoint`.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import mmengine.runner.checkpoint as mmengine_checkpoint
import torch
from mmengine.dist import barrier, get_rank

from csipreid.checkpoint import read_checkpoint

_register = mmengine_checkpoint.CheckpointLoader.register_scheme


@_register(prefixes='', force=True)
def load_file(filename: Any, map_location: Any = None, **kwargs: Any) -> dict[str, Any]:
    """Read weights from a file without running code from it.

    Args:
        filename: The file.
        map_location: Where the tensors go; see :func:`torch.load`.
        **kwargs: Kept for MMEngine's interface.
    """
    return read_checkpoint(Path(filename).expanduser(), map_location or 'cpu')


@_register(prefixes=('http://', 'https://'), force=True)
def load_url(filename: str, map_location: Any = None, **kwargs: Any) -> dict[str, Any]:
    """Download weights to torch's folder of checkpoints, once, and read them.

    Args:
        filename: Their address.
        map_location: Where the tensors go; see :func:`torch.load`.
        **kwargs: Kept for MMEngine's interface.
    """
    path = Path(torch.hub.get_dir(), 'checkpoints', Path(urlparse(filename).path).name)
    if get_rank() == 0:
        _fetch(filename, path)
    barrier()
    _fetch(filename, path)  # on the other machines
    return read_checkpoint(path, map_location or 'cpu')


@_register(prefixes=(r'(\S+\:)?s3://', r'(\S+\:)?petrel://', 'pavi://'), force=True)
def refuse(filename: str, map_location: Any = None, **kwargs: Any) -> dict[str, Any]:
    """Refuse stores whose files MMEngine would load with their code.

    Raises:
        ValueError: Always.
    """
    raise ValueError(f'{filename} is not read from there; download it and name the file')


def _fetch(url: str, path: Path) -> None:
    """Download a file unless it is there."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path))


# By these MMEngine loads what its names of models (openmmlab://, torchvision://) stand for.
vars(mmengine_checkpoint).update(load_from_http=load_url, _safe_torch_load=load_file)
