"""Search for persons among tracklets with a trained model."""

import inspect
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from torch.nn import functional as F

from csipreid.checkpoint import data_sizes, fill_module, read_checkpoint
from csipreid.registry import MODELS, TRANSFORMS

Tracklet = str | os.PathLike | Sequence[str | os.PathLike] | np.ndarray

_IMAGES = {'.jpg', '.jpeg', '.png', '.bmp'}


class SearchResult(NamedTuple):
    """What was found for each query, nearest first.

    Attributes:
        indices: Positions in the gallery, int64, (Q, k).
        similarities: Cosines of the embeddings, float32, in [-1, 1], (Q, k).
    """

    indices: np.ndarray
    similarities: np.ndarray


class VideoReIDInferencer:
    """Embed tracklets and search among them. RGB frames are all it needs.

    A tracklet is a folder of images (in the order of their names), a list of
    image paths in time order, or an array of frames, uint8, RGB, (T, H, W, 3).

    Args:
        config: Config of the model, a path or a loaded one; its ``test_pipeline``
            prepares the frames.
        checkpoint: Trained weights that fit it.
        device: Where to compute; None takes the GPU where there is one.

    Raises:
        FileNotFoundError: If the config or the checkpoint does not exist.
        ValueError: If the checkpoint does not fit.
    """

    def __init__(
        self,
        config: str | os.PathLike | Config,
        checkpoint: str | os.PathLike,
        device: str | torch.device | None = None,
    ) -> None:
        cfg = config if isinstance(config, Config) else Config.fromfile(config)
        content = read_checkpoint(Path(checkpoint))
        wanted = inspect.signature(MODELS.get(cfg.model.type)).parameters
        sizes = {k: v for k, v in data_sizes(content, str(checkpoint)).items() if k in wanted}
        with DefaultScope.overwrite_default_scope('csipreid'):
            model = MODELS.build(cfg.model, default_args=sizes)
            self._steps = [TRANSFORMS.build(step) for step in cfg.test_pipeline]
        optional = getattr(model, 'training_only', ())
        fill_module(model, content['state_dict'], f'checkpoint {checkpoint}', optional)
        self.model = model.to(device or get_device()).eval()

    @torch.no_grad()
    def __call__(self, tracklets: Sequence[Tracklet], batch_size: int = 8) -> np.ndarray:
        """Embed tracklets.

        Args:
            tracklets: N tracklets.
            batch_size: Tracklets computed at a time.

        Returns:
            Embeddings of unit length, float32, (N, D).

        Raises:
            FileNotFoundError: If a folder or image does not exist.
            ValueError: If there is no tracklet, or one has no frames.
        """
        if not len(tracklets):
            raise ValueError('no tracklet was given')
        items = [self._item(tracklet) for tracklet in tracklets]
        embeddings = []
        for start in range(0, len(items), batch_size):
            batch = pseudo_collate([self._prepare(i) for i in items[start : start + batch_size]])
            embeddings += [sample.embedding for sample in self.model.test_step(batch)]
        return F.normalize(torch.stack(embeddings).float(), dim=1).cpu().numpy()

    def search(
        self,
        queries: Sequence[Tracklet],
        gallery: Sequence[Tracklet] | np.ndarray,
        topk: int = 10,
    ) -> SearchResult:
        """Find the gallery tracklets most similar to each query.

        Args:
            queries: Q tracklets.
            gallery: G tracklets, or their embeddings (G, D) from an earlier call.
            topk: How many to return for each query, at most G.
        """
        embedded = gallery if isinstance(gallery, np.ndarray) else self(gallery)
        similarities = self(queries) @ embedded.T  # (Q, G)
        indices = np.argsort(-similarities, axis=1, kind='stable')[:, :topk]
        return SearchResult(indices, np.take_along_axis(similarities, indices, axis=1))

    @staticmethod
    def _item(tracklet: Tracklet) -> dict:
        """Describe a tracklet as a data set does."""
        frames = None
        if isinstance(tracklet, np.ndarray):
            if tracklet.ndim != 4 or tracklet.shape[-1] != 3 or tracklet.dtype != np.uint8:
                raise ValueError(
                    'an array of frames must be uint8 of shape (T, H, W, 3), got '
                    f'{tracklet.dtype} of shape {tracklet.shape}'
                )
            frames, paths = tracklet, [f'frame {index}' for index in range(len(tracklet))]
        elif isinstance(tracklet, str | os.PathLike):
            folder = Path(tracklet)
            if not folder.is_dir():
                raise FileNotFoundError(f'folder {folder} not found')
            paths = sorted(str(p) for p in folder.iterdir() if p.suffix.lower() in _IMAGES)
        else:
            paths = [os.fspath(path) for path in tracklet]
        if not paths:
            raise ValueError(f'a tracklet needs at least one frame, got none in {tracklet!r}')
        return dict(
            frame_paths=paths, given=frames, pid=-1, camid=-1, label=-1, subset='query',
            rng=np.random.default_rng(0),
        )  # fmt: skip

    def _prepare(self, item: dict) -> dict:
        """Run the test pipeline; frames that were given are not loaded."""
        steps = self._steps
        given = item.pop('given')
        if given is not None:
            steps = [s for s in steps if type(s).__name__ != 'LoadFrames']
            item = steps[0](item)
            item['frames'] = [given[index] for index in item['frame_inds'].ravel()]
            steps = steps[1:]
        return Compose(steps)(item)
