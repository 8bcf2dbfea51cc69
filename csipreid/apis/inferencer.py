"""Search for persons among tracklets with a trained model."""

import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.device import get_device
from mmengine.infer import BaseInferencer
from mmengine.registry import DefaultScope
from rich.progress import track

from csipreid.apis.loading import load_model
from csipreid.apis.neighbour_sheets import neighbour_sheets
from csipreid.apis.search import SearchResult, nearest, search_embeddings, whole_number
from csipreid.apis.tracklets import Tracklet, describe_tracklets
from csipreid.apis.unit_rows import unit_rows
from csipreid.deployment import FrameSettings
from csipreid.output_folder import OutputFolder
from csipreid.registry import INFERENCERS, TRANSFORMS, VISUALIZERS
from csipreid.structures import ReIDDataSample


@INFERENCERS.register_module()
class VideoReIDInferencer(BaseInferencer):
    """Embed tracklets and search among them. RGB frames are all it needs.

    A tracklet is a folder of images (in the order of the numbers in their names,
    as the data sets list them), a list of image paths in time order, a list of
    crops in time order (arrays, uint8, RGB, (H, W, 3), or PIL images, of any
    sizes), or one array of frames, uint8, RGB, (T, H, W, 3).

    The steps are those of MMEngine's inferencers, :meth:`preprocess`, :meth:`forward`,
    :meth:`visualize` and :meth:`postprocess`; a call runs all. Several threads may call one
    inferencer at a time.

    Args:
        model: Config of the model, a path or a loaded one; its ``test_pipeline``
            prepares the frames and must need no skeletons. None reads it from the
            checkpoint, as published and trained ones hold it; its text is not run. Or an
            ``.onnx`` file, in the place of config and checkpoint.
        weights: Checkpoint that fits it.
        device: Where to compute; None takes the GPU where there is one.
        scope: MMEngine's scope in which the visualizer is looked up.
        show_progress: Whether a terminal shows how far a call is.
        settings: How frames are prepared for an ``.onnx`` file of another origin, a dict or a
            JSON file; see :class:`csipreid.deployment.OnnxReID`.

    Attributes:
        embed_dim: Width D of the embeddings.

    Raises:
        FileNotFoundError: If the config or the checkpoint does not exist.
        ImportError: If an ``.onnx`` file is given without onnxruntime.
        ValueError: If the config's model needs skeletons to test, as that of stage
            1 does, or the checkpoint does not fit.
    """

    preprocess_kwargs = {'camids'}  # noqa: RUF012, as MMEngine's
    visualize_kwargs = {'show', 'wait_time', 'out_dir', 'topk'}  # noqa: RUF012

    def __init__(
        self,
        model: str | os.PathLike | Config | None = None,
        weights: str | os.PathLike | None = None,
        device: str | torch.device | None = None,
        scope: str = 'csipreid',
        show_progress: bool = True,
        settings: Mapping[str, Any] | str | os.PathLike | None = None,
    ) -> None:
        # Not MMEngine's own constructor, which runs what lies in checkpoints and in their configs.
        self._loaded = load_model(model, weights, device or get_device(), settings)
        self.model, self.cfg = self._loaded.model, self._loaded.cfg
        self.scope = scope
        self.show_progress = show_progress
        self.pipeline = self._init_pipeline(self.cfg)
        self.collate_fn = pseudo_collate
        self.visualizer = None  # made when something is shown

    @property
    def settings(self) -> FrameSettings:
        """How frames are prepared.

        Raises:
            ValueError: If the config does not tell.
        """
        return self._loaded.settings

    @property
    def fingerprint(self) -> str:
        """What tells the embeddings of this model from those of others, 64 digits.

        It is the same for a checkpoint, its published form and its ``.onnx`` file.

        Raises:
            ValueError: If the config does not tell how frames are prepared.
        """
        return self._loaded.fingerprint

    def __call__(
        self,
        inputs: Sequence[Tracklet] | np.ndarray,
        return_datasamples: bool = False,
        batch_size: int = 8,
        **kwargs: Any,
    ) -> Any:
        """Embed tracklets.

        Args:
            inputs: N tracklets.
            return_datasamples: Whether to return the samples with their ``embedding`` as the
                model gives it, as ``tools/test.py`` writes it, of any length.
            batch_size: Tracklets computed at a time.
            **kwargs: ``camids`` of :meth:`preprocess`; ``show``, ``wait_time``, ``out_dir``
                and ``topk`` of :meth:`visualize`.

        Returns:
            Embeddings of unit length, float32, (N, D); or N data samples.

        Raises:
            FileNotFoundError: If a folder or image does not exist.
            TypeError, ValueError: If an argument is of another kind, or a tracklet
                has no frames; or the model's embeddings have no direction.
        """
        preparing, computing, drawing, finishing = self._dispatch_kwargs(**kwargs)
        batches = self.preprocess(inputs, batch_size, **preparing)
        # rich shows one bar at a time; calls from other threads show none.
        shown = self.show_progress and sys.stdout.isatty()
        if not shown or threading.current_thread() is not threading.main_thread():
            samples = [s for batch in batches for s in self.forward(batch, **computing)]
        else:
            total = -(-len(inputs) // batch_size)
            bar = track(batches, 'Inference', total, transient=True)
            samples = [s for batch in bar for s in self.forward(batch, **computing)]
        pictures = self.visualize(inputs, samples, **drawing)
        return self.postprocess(samples, pictures, return_datasamples, **finishing)

    def preprocess(
        self,
        inputs: Sequence[Tracklet] | np.ndarray,
        batch_size: int = 8,
        camids: Sequence[int] | None = None,
        name: str = 'tracklets',
    ) -> Iterator[dict]:
        """Check tracklets, then prepare them batch by batch.

        Args:
            inputs: N tracklets.
            batch_size: Tracklets of a batch.
            camids: Their cameras, from 0, -1 when unknown; None if all are. A model with a
                camera embedding uses them, as ``tools/test.py`` does.
            name: What the tracklets are called in messages.

        Returns:
            An iterator over batches for :meth:`forward`.

        Raises:
            FileNotFoundError: If a folder or image does not exist.
            TypeError, ValueError: If an argument is of another kind.
        """
        items = describe_tracklets(inputs, name)
        batch_size = whole_number(batch_size, 'batch_size', 1)
        if camids is not None:
            if len(camids) != len(items):
                raise ValueError(
                    f'camids must be one for each of {len(items)} tracklets, got {len(camids)}'
                )
            for item, camid in zip(items, camids, strict=True):
                item['camid'] = whole_number(camid, 'camids', -1)
        chunks = self._get_chunk_data(map(self.pipeline, items), batch_size)
        return map(self.collate_fn, chunks)

    @torch.no_grad()
    def forward(self, inputs: dict, **kwargs: Any) -> list[ReIDDataSample]:
        """Embed a batch of :meth:`preprocess`.

        Args:
            inputs: The batch.
            **kwargs: None; part of MMEngine's interface.

        Returns:
            Its samples with ``embedding``, float, (D,) each.
        """
        return self.model.test_step(inputs)

    def visualize(
        self,
        inputs: Sequence[Tracklet] | np.ndarray,
        preds: list[ReIDDataSample],
        show: bool = False,
        wait_time: float = 0,
        out_dir: str | os.PathLike | None = None,
        topk: int = 5,
    ) -> list[np.ndarray]:
        """Draw each tracklet beside those of the others that are most similar to it.

        Args:
            inputs: N tracklets.
            preds: Their samples, of :meth:`forward`.
            show: Whether to show the pictures in a window.
            wait_time: Seconds for which each is shown; 0 waits for the space key.
            out_dir: Folder for the pictures, in place of those of an earlier call; None
                writes none.
            topk: Most similar tracklets that are drawn.

        Returns:
            N pictures, RGB, uint8, (H, W, 3) each; none if they are neither shown nor written.

        Raises:
            OSError: If they cannot be written.
        """
        if not show and out_dir is None:
            return []
        embeddings = self.postprocess(preds, [])
        topk = whole_number(topk, 'topk', 1)
        similarities = embeddings @ embeddings.T
        np.fill_diagonal(similarities, -np.inf)
        found = nearest(similarities, min(topk, len(embeddings) - 1))
        return self._publish(inputs, inputs, found, show, wait_time, out_dir)

    def postprocess(
        self,
        preds: list[ReIDDataSample],
        visualization: list[np.ndarray],
        return_datasamples: bool = False,
    ) -> Any:
        """Turn samples into what a call returns.

        Args:
            preds: N samples with ``embedding``.
            visualization: Unused; part of MMEngine's interface. Pictures are shown or written.
            return_datasamples: Whether to return the samples.

        Returns:
            Embeddings of unit length, float32, (N, D); or the samples.

        Raises:
            ValueError: If an embedding has no direction.
        """
        if return_datasamples:
            return preds
        stacked = torch.stack([sample.embedding for sample in preds]).float().cpu().numpy()
        return unit_rows(stacked, 'the output of the model')

    def search(
        self,
        queries: Sequence[Tracklet],
        gallery: Sequence[Tracklet] | np.ndarray,
        topk: int = 10,
        batch_size: int = 8,
        show: bool = False,
        out_dir: str | os.PathLike | None = None,
    ) -> SearchResult:
        """Find the gallery tracklets most similar to each query.

        Args:
            queries: Q tracklets.
            gallery: G tracklets, or their embeddings from an earlier call, float,
                of any length, (G, D).
            topk: How many to return for each query, at most G.
            batch_size: Tracklets computed at a time.
            show: Whether to show in a window what was found.
            out_dir: Folder for pictures of it; see :meth:`visualize`.

        Raises:
            FileNotFoundError: If a folder or image does not exist.
            TypeError, ValueError: If an argument is of another kind; or pictures are asked for
                of a gallery of embeddings.
        """
        topk = whole_number(topk, 'topk', 1)
        prepared = self.preprocess(queries, batch_size, name='queries')
        # An array of pixels holds tracklets, one of fractions embeddings.
        if isinstance(gallery, np.ndarray) and not (gallery.ndim > 2 and gallery.dtype == np.uint8):
            if show or out_dir is not None:
                raise ValueError('pictures need the tracklets of the gallery, got embeddings')
            embedded = unit_rows(gallery, 'gallery')
        else:
            embedded = self._embed(self.preprocess(gallery, batch_size, name='gallery'))
        asked = self._embed(prepared)
        found = search_embeddings(asked, embedded, topk)
        if show or out_dir is not None:
            self._publish(queries, gallery, found, show, 0, out_dir)
        return found

    def embed_frames(self, frames: np.ndarray, batch_size: int = 64) -> np.ndarray:
        """Embed single frames, each as if it were a whole tracklet.

        Args:
            frames: RGB, uint8, (N, H, W, 3), in the size of the model's input.
            batch_size: Frames computed at a time.

        Returns:
            Embeddings of unit length, float32, (N, D).

        Raises:
            ValueError: If the frames are of another size, or there is none.
        """
        size = self.settings.input_size
        if frames.shape[1:] != (*size, 3) or frames.dtype != np.uint8 or not len(frames):
            raise ValueError(
                f'frames must be uint8 of shape (N, {size[0]}, {size[1]}, 3), got {frames.dtype} '
                f'of shape {frames.shape}'
            )
        # Where a clip may have any length, it is as long as the frames that differ: one.
        free = getattr(self.model, 'clip_len_free', True)
        length = 1 if free else self.settings.clip_len
        clips = torch.from_numpy(frames).movedim(-1, -3)[:, None].expand(-1, length, -1, -1, -1)
        samples = [ReIDDataSample(camid=-1, num_clips=1) for _ in clips]
        batches = (
            dict(inputs=dict(frames=list(part)), data_samples=samples[start : start + batch_size])
            for start, part in zip(
                range(0, len(clips), batch_size), clips.split(batch_size), strict=True
            )
        )
        return self._embed(batches)

    def _embed(self, batches: Iterator[dict]) -> np.ndarray:
        """Embed batches, float32, (N, D), of unit length."""
        return self.postprocess([s for batch in batches for s in self.forward(batch)], [])

    def _init_pipeline(self, cfg: Config) -> Any:
        """Return what prepares a described tracklet; frames that were given are not loaded."""
        with DefaultScope.overwrite_default_scope('csipreid'):
            steps = [TRANSFORMS.build(step) for step in cfg.test_pipeline]

        def prepare(item: dict) -> dict:
            chosen, given = steps, item.pop('given')
            if given is not None:
                item = steps[0](item)
                item['frames'] = [given[index] for index in item['frame_inds'].ravel()]
                chosen = [s for s in steps[1:] if type(s).__name__ != 'LoadFrames']
            return Compose(chosen)(item)

        return prepare

    def _publish(
        self, queries: Any, gallery: Any, found: SearchResult, show: bool, wait_time: float,
        out_dir: str | os.PathLike | None,
    ) -> list[np.ndarray]:  # fmt: skip
        """Draw what was found, write and show it."""
        sheets = neighbour_sheets(queries, gallery, found.indices, found.similarities)
        if out_dir is not None:
            output = OutputFolder(out_dir, 'inferencer')
            with output:
                for number, sheet in enumerate(sheets):
                    path = output.staging / f'tracklet{number:05}.png'
                    mmcv.imwrite(sheet[..., ::-1], str(path))  # mmcv writes BGR
        if show:
            visualizer: Any = self.visualizer
            if visualizer is None:
                with DefaultScope.overwrite_default_scope(self.scope):
                    visualizer = VISUALIZERS.build(dict(type='ReIDVisualizer'))
                self.visualizer = visualizer
            for number, sheet in enumerate(sheets):
                visualizer.show(sheet, f'tracklet {number}', wait_time=wait_time)
        return sheets
