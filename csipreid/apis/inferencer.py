"""Search for persons among tracklets with a trained model."""

import inspect
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.device import get_device
from mmengine.registry import DefaultScope

from csipreid.apis.tracklets import Tracklet, describe_tracklets
from csipreid.checkpoint import data_sizes, fill_module, read_checkpoint
from csipreid.registry import MODELS, TRANSFORMS


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

    A tracklet is a folder of images (in the order of the numbers in their names,
    as the data sets list them), a list of image paths in time order, a list of
    crops in time order (arrays, uint8, RGB, (H, W, 3), or PIL images, of any
    sizes), or one array of frames, uint8, RGB, (T, H, W, 3).

    Args:
        config: Config of the model, a path or a loaded one; its ``test_pipeline``
            prepares the frames and must need no skeletons.
        checkpoint: Trained weights that fit it.
        device: Where to compute; None takes the GPU where there is one.

    Raises:
        FileNotFoundError: If the config or the checkpoint does not exist.
        ValueError: If the config's model needs skeletons to test, as that of stage
            1 does, or the checkpoint does not fit.
    """

    def __init__(
        self,
        config: str | os.PathLike | Config,
        checkpoint: str | os.PathLike,
        device: str | torch.device | None = None,
    ) -> None:
        cfg = self._read_config(config)
        content = read_checkpoint(Path(checkpoint))
        wanted = inspect.signature(MODELS.get(cfg.model.type)).parameters
        sizes = {k: v for k, v in data_sizes(content, str(checkpoint)).items() if k in wanted}
        with DefaultScope.overwrite_default_scope('csipreid'):
            model = MODELS.build(cfg.model, default_args=sizes)
            self._steps = [TRANSFORMS.build(step) for step in cfg.test_pipeline]
        optional = getattr(model, 'training_only', ())
        fill_module(model, content['state_dict'], f'checkpoint {checkpoint}', optional)
        self.model = model.to(device or get_device()).eval()

    def __call__(self, tracklets: Sequence[Tracklet], batch_size: int = 8) -> np.ndarray:
        """Embed tracklets.

        Args:
            tracklets: N tracklets.
            batch_size: Tracklets computed at a time.

        Returns:
            Embeddings of unit length, float32, (N, D).

        Raises:
            FileNotFoundError: If a folder or image does not exist.
            TypeError, ValueError: If an argument is of another kind, or a tracklet
                has no frames; or the model's embeddings have no direction.
        """
        return self._embed(self._describe(tracklets, 'tracklets'), batch_size)

    def search(
        self,
        queries: Sequence[Tracklet],
        gallery: Sequence[Tracklet] | np.ndarray,
        topk: int = 10,
        batch_size: int = 8,
    ) -> SearchResult:
        """Find the gallery tracklets most similar to each query.

        Args:
            queries: Q tracklets.
            gallery: G tracklets, or their embeddings from an earlier call, float,
                of any length, (G, D).
            topk: How many to return for each query, at most G.
            batch_size: Tracklets computed at a time.

        Raises:
            FileNotFoundError: If a folder or image does not exist.
            TypeError, ValueError: If an argument is of another kind.
        """
        topk = _positive(topk, 'topk')
        asked = self._describe(queries, 'queries')
        if isinstance(gallery, np.ndarray) and not self._holds_tracklets(gallery):
            embedded = _unit_rows(gallery, 'gallery')
        else:
            embedded = self._embed(self._describe(gallery, 'gallery'), batch_size)
        found = self._embed(asked, batch_size)
        if embedded.shape[1] != found.shape[1]:
            raise ValueError(
                f'gallery must hold embeddings of this model, (G, {found.shape[1]}), got shape '
                f'{embedded.shape}'
            )
        similarities = found @ embedded.T  # (Q, G)
        indices = np.argsort(-similarities, axis=1, kind='stable')[:, :topk]
        return SearchResult(indices, np.take_along_axis(similarities, indices, axis=1))

    @staticmethod
    def _read_config(config: str | os.PathLike | Config) -> Config:
        """Return a config whose model embeds frames alone."""
        cfg = read_model_config(config)
        if 'LoadSkeletons' in [step.get('type') for step in cfg.test_pipeline]:
            raise ValueError(
                f'{cfg.model.type} needs skeletons to test (LoadSkeletons in test_pipeline), as '
                'the model of stage 1 does; take a config and checkpoint of stage 2'
            )
        return cfg

    @staticmethod
    def _describe(tracklets: Any, name: str) -> list[dict]:
        """Describe tracklets as a data set does, after checking all of them."""
        return describe_tracklets(tracklets, name)

    @staticmethod
    def _holds_tracklets(gallery: np.ndarray) -> bool:
        """Tell an array of pixels, which holds tracklets, from one of embeddings."""
        return gallery.ndim > 2 and gallery.dtype == np.uint8

    def _embed(self, items: list[dict], batch_size: int) -> np.ndarray:
        """Embed described tracklets, float32, (N, D), of unit length."""
        batch_size = _positive(batch_size, 'batch_size')
        embeddings = []
        with torch.no_grad():
            for start in range(0, len(items), batch_size):
                chosen = [self._prepare(item) for item in items[start : start + batch_size]]
                samples = self.model.test_step(pseudo_collate(chosen))
                embeddings += [sample.embedding for sample in samples]
        return _unit_rows(torch.stack(embeddings).float().cpu().numpy(), 'the output of the model')

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


def read_model_config(config: str | os.PathLike | Config) -> Config:
    """Return a config that has a model and a test pipeline.

    Raises:
        FileNotFoundError: If it does not exist.
        ValueError: If it has not.
    """
    if not isinstance(config, Config):
        if not Path(config).is_file():
            raise FileNotFoundError(f'config {os.fspath(config)} not found')
        config = Config.fromfile(config)
    absent = [name for name in ('model', 'test_pipeline') if config.get(name) is None]
    if absent:
        raise ValueError(f'the config has no {" and no ".join(absent)}; is it one of a model?')
    return config


def _positive(value: int, name: str) -> int:
    """Refuse what is no positive whole number."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f'{name} must be a whole number from 1, got {value!r}')
    return int(value)


def _unit_rows(embeddings: np.ndarray, name: str) -> np.ndarray:
    """Return embeddings of unit length, float32, (N, D).

    Raises:
        ValueError: If they are no matrix of floats, or a row has no direction.
    """
    if embeddings.ndim != 2 or embeddings.dtype.kind != 'f' or not embeddings.size:
        raise ValueError(
            f'{name} must be embeddings, float of shape (N, D), got {embeddings.dtype} of shape '
            f'{embeddings.shape}'
        )
    # In float64, or the squares of large and small numbers would not be finite or vanish.
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if bad.size:
        raise ValueError(
            f'{name} must hold finite embeddings that are not zero; row {bad[0]} is '
            f'{embeddings[bad[0]]}, like {bad.size} of {len(embeddings)}'
        )
    return (embeddings / lengths).astype(np.float32)
