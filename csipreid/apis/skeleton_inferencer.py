"""Search for persons among skeleton sequences with a trained model."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.config import Config

from csipreid.apis.inferencer import VideoReIDInferencer, read_model_config


class SkeletonReIDInferencer(VideoReIDInferencer):
    """Embed skeleton sequences and search among them; the calls are those of its base.

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
        self, config: str | os.PathLike | Config, checkpoint: str | os.PathLike, device: Any = None
    ) -> None:
        super().__init__(config, checkpoint, device)
        self._layout = self._read_config(config).test_dataloader.dataset.layout

    def _prepare(self, item: dict) -> dict:
        """Run the test pipeline on a sequence of the config's layout."""
        return super()._prepare(dict(item, layout=self._layout))

    @staticmethod
    def _read_config(config: str | os.PathLike | Config) -> Config:
        """Return a config whose model embeds skeletons alone."""
        cfg = read_model_config(config)
        if 'TakeSkeletons' not in [step.get('type') for step in cfg.test_pipeline]:
            raise ValueError(
                f'{cfg.model.type} takes no skeleton sequences (no TakeSkeletons in '
                'test_pipeline); VideoReIDInferencer embeds frames'
            )
        return cfg

    @staticmethod
    def _describe(tracklets: Any, name: str) -> list[dict]:
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
                    given=None,
                    pid=-1,
                    camid=-1,
                    label=-1,
                    subset='query',
                    rng=np.random.default_rng(0),
                )
            )
        return items

    @staticmethod
    def _holds_tracklets(gallery: np.ndarray) -> bool:
        """Tell an array of sequences (G, T, V, 3) from one of embeddings (G, D)."""
        return gallery.ndim == 4
