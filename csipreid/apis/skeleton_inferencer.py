"""Search for persons among skeleton sequences with a trained model."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.device import get_device
from mmengine.registry import DefaultScope

from csipreid.apis.loading import build_model, read_model_config
from csipreid.apis.search import SearchResult, search_embeddings, whole_number
from csipreid.apis.unit_rows import unit_rows
from csipreid.checkpoint import read_checkpoint


class SkeletonReIDInferencer:
    """Embed skeleton sequences and search among them.

    A sequence is an array, float, (T, V, 3): joint positions in metres and camera axes (x
    right, y down), in the order of the config's layout; a frame of zeros has no skeleton.

    Args:
        config: Config of the model, a path or a loaded one, with ``TakeSkeletons`` in its
            ``test_pipeline``.
        checkpoint: Trained weights that fit it.
        device: Where to compute; None takes the GPU where there is one.

    Raises:
        FileNotFoundError: If the config or the checkpoint does not exist.
        ValueError: If the config's model takes frames, or the checkpoint does not fit.
    """

    def __init__(
        self,
        config: str | os.PathLike | Config,
        checkpoint: str | os.PathLike,
        device: str | torch.device | None = None,
    ) -> None:
        cfg = read_model_config(config)
        if 'TakeSkeletons' not in [step.get('type') for step in cfg.get('test_pipeline') or []]:
            raise ValueError(
                f'{cfg.model.type} takes no skeleton sequences (no TakeSkeletons in '
                'test_pipeline); VideoReIDInferencer embeds frames'
            )
        model = build_model(cfg, read_checkpoint(Path(checkpoint)), os.fspath(checkpoint))
        self.model = model.to(device or get_device()).eval()
        self._layout = cfg.test_dataloader.dataset.layout
        with DefaultScope.overwrite_default_scope('csipreid'):
            self._pipeline = Compose(cfg.test_pipeline)

    @torch.no_grad()
    def __call__(self, sequences: Sequence[np.ndarray], batch_size: int = 64) -> np.ndarray:
        """Embed sequences.

        Args:
            sequences: N arrays, float, (T, V, 3).
            batch_size: Sequences computed at a time.

        Returns:
            Embeddings of unit length, float32, (N, D).

        Raises:
            ValueError: If a sequence is of another kind, or ``batch_size`` is not positive.
        """
        batch_size = whole_number(batch_size, 'batch_size', 1)
        items = _describe(sequences, self._layout, 'sequences')
        embeddings = []
        for start in range(0, len(items), batch_size):
            chosen = [self._pipeline(item) for item in items[start : start + batch_size]]
            samples = self.model.test_step(pseudo_collate(chosen))
            embeddings += [sample.embedding for sample in samples]
        return unit_rows(torch.stack(embeddings).float().cpu().numpy(), 'the output of the model')

    def search(
        self,
        queries: Sequence[np.ndarray],
        gallery: Sequence[np.ndarray] | np.ndarray,
        topk: int = 5,
        batch_size: int = 64,
    ) -> SearchResult:
        """Find the sequences of a gallery that are most like each query.

        Args:
            queries: Q sequences.
            gallery: G sequences, or their embeddings, float, (G, D).
            topk: How many to return; at most G are.
            batch_size: Sequences computed at a time.

        Returns:
            Their places in the gallery and cosines, most similar first.

        Raises:
            ValueError: If an argument is of another kind.
        """
        topk = whole_number(topk, 'topk', 1)
        asked = self(queries, batch_size)
        if isinstance(gallery, np.ndarray) and gallery.ndim == 2:
            embedded = unit_rows(gallery, 'gallery')
        else:
            embedded = self(list(gallery), batch_size)
        return search_embeddings(asked, embedded, topk)


def _describe(tracklets: Any, layout: str, name: str) -> list[dict]:
    """Describe sequences as the data set does, after checking all of them."""
    if not isinstance(tracklets, Sequence | np.ndarray) or not len(tracklets):
        raise ValueError(f'{name} must be a list of arrays (T, V, 3), and not empty')
    items = []
    for index, sequence in enumerate(tracklets):
        array = np.asarray(sequence)
        if array.ndim != 3 or array.shape[-1] != 3 or array.dtype.kind != 'f' or not len(array):
            raise ValueError(
                f'{name}[{index}] must be joint positions, float of shape (T, V, 3), got '
                f'{array.dtype} of shape {array.shape}'
            )
        if not np.isfinite(array).all():
            raise ValueError(f'{name}[{index}] holds NaN or infinity')
        items.append(
            dict(
                frame_paths=[f'frame {frame}' for frame in range(len(array))],
                sequence=array.astype(np.float32),
                layout=layout,
                pid=-1,
                camid=-1,
                label=-1,
                subset='query',
                rng=np.random.default_rng(0),
            )
        )
    return items
