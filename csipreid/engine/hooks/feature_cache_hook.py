"""Features of a frozen image encoder, computed once instead of in every epoch."""

import contextlib
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object, barrier, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from rich.progress import track
from torch import nn
from torch.utils.data import DataLoader

from csipreid.engine.agreement import from_first_rank
from csipreid.feature_cache import PART_LEN, FeatureCache, FrameStamps, update_stamps
from csipreid.registry import HOOKS
from csipreid.worker_processes import end_workers_with_parent

_FORMAT = 2  # of the key; another number makes all caches stale
_BATCH = 64  # frames; divides PART_LEN, so that a part is the same whoever computes it
_SAMPLE = 8  # frames computed again before a cache is used
# Between the same frame computed twice rounding leaves less, between two frames is more.
_MOST_DIFFERENT = 0.05


@HOOKS.register_module()
class FeatureCacheHook(Hook):
    """Let stage 1 train from stored frame features.

    The image tower of stage 1 is frozen and its frames are not augmented, so its
    projected global token of a frame never changes. Before training this hook
    computes it once for every frame that training and validation may sample, and
    makes the data sets read the results from a memory map. The ranks share the
    work; an interrupted computation continues with the parts that are missing.

    A cache is found by a key made of the weights and the structure of the image
    encoder, the preprocessing, the precision, the folder of the data set and the
    names of the frames. Before it is used, all frame files are compared with what
    they were, and a few features are computed again. A cache that fails is built
    anew. Parts that an interrupted computation left are kept if their frames are
    what they were.

    Where a step of the pipeline may change frames from item to item, as
    augmentations do, nothing is stored and the log says so.

    Args:
        cache_dir: Folder of all caches; None is ``feature_cache`` beside the work
            directory, so that runs side by side share it.
        dtype: Precision on disk, 'float32' or 'float16', which is half as large.
        subsets: Loaders that take part: 'train', 'val'.

    Raises:
        ValueError: If ``dtype`` or a subset is unknown, or the disk is too small.
    """

    # After the weights are loaded and before anything reads the data.
    priority = 'ABOVE_NORMAL'

    def __init__(
        self,
        cache_dir: str | None = None,
        dtype: str = 'float32',
        subsets: tuple[str, ...] = ('train', 'val'),
    ) -> None:
        if dtype not in ('float16', 'float32'):
            raise ValueError(f"dtype must be 'float16' or 'float32', got {dtype!r}")
        if not subsets or not set(subsets) <= {'train', 'val'}:
            raise ValueError(f"subsets must be of 'train' and 'val', got {subsets}")
        self.cache_dir = cache_dir
        self.dtype = dtype
        self.subsets = subsets

    def check(self, runner: Runner) -> None:
        """Refuse a model that has no features of single frames.

        Raises:
            TypeError: If the model has no method ``embed_frames``.
        """
        if runner.will_train and not hasattr(runner.bare_model, 'embed_frames'):
            raise TypeError(
                f'{type(runner.bare_model).__name__} has no frozen image encoder whose features '
                'could be stored; leave FeatureCacheHook out'
            )

    def before_train(self, runner: Runner) -> None:
        """Find or build the caches and let the data sets use them."""
        if 'train' in self.subsets:
            self._serve(runner, 'train', runner.train_dataloader, autocast=True)
        if 'val' in self.subsets and runner.val_loop is not None:
            self._serve(runner, 'val', runner.val_dataloader, autocast=False)

    def _serve(self, runner: Runner, subset: str, loader: DataLoader, autocast: bool) -> None:
        """Let one data set read features instead of frames."""
        dataset: Any = loader.dataset
        try:
            if not hasattr(dataset, 'single_frames'):
                raise ValueError(f'a {type(dataset).__name__} does not give single frames')
            frames = dataset.single_frames()
        except ValueError as error:
            runner.logger.warning(f'{subset}: frame features are not stored: {error}')
            return
        # As the losses are computed: under autocast where training is.
        context = runner.optim_wrapper.optim_context if autocast else contextlib.nullcontext
        with context(runner.model), _evaluation(runner.bare_model) as model:
            precision = _precision(model.data_preprocessor.device)
            about = dict(
                format=_FORMAT,
                encoder=_digest_module(model.image_encoder),
                preprocessor=_digest_module(model.data_preprocessor),
                preparation=frames.preparation,
                precision=precision,
                dtype=self.dtype,
                root=frames.root,
                frames=hashlib.sha256('\n'.join(frames.names).encode()).hexdigest(),
            )
            key = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]
            folder = self._root(runner) / key
            cache = FeatureCache(folder, len(frames), model.image_encoder.embed_dim, self.dtype)
            if not from_first_rank(lambda: _is_usable(runner, cache, frames, model)):
                self._build(runner, cache, frames, model, loader.num_workers, about)
        features = cache.features()
        if not all(all_gather_object(features is not None)):
            raise ValueError(
                f'the frame features in {folder} cannot be read by all processes; cache_dir of '
                'FeatureCacheHook must be a folder that they share'
            )
        dataset.use_frame_features(features, frames.table)
        runner.logger.info(
            f'{subset}: features of {len(frames)} frames are read from {folder} '
            f'({cache.num_bytes / 1e6:.1f} MB, {self.dtype}); no frame is decoded'
        )

    def _root(self, runner: Runner) -> Path:
        """Return the folder of all caches."""
        if self.cache_dir is not None:
            return Path(self.cache_dir)
        return Path(runner.work_dir).resolve().parent / 'feature_cache'

    def _build(
        self,
        runner: Runner,
        cache: FeatureCache,
        frames: Any,
        model: Any,
        num_workers: int,
        about: dict,
    ) -> None:
        """Compute the missing parts, this rank its share of them, and join all."""
        missing = from_first_rank(lambda: _missing_parts(runner, cache, frames.table.paths))
        if len(missing) < cache.num_parts:
            runner.logger.info(
                f'{cache.num_parts - len(missing)} of {cache.num_parts} parts of the frame '
                f'features are in {cache.folder} already'
            )
        mine = missing[runner.rank :: get_world_size()]
        batches = [
            list(cache.part_range(part))[start : start + _BATCH]
            for part in mine
            for start in range(0, PART_LEN, _BATCH)
        ]
        loader = DataLoader(
            frames,
            batch_sampler=[batch for batch in batches if batch],
            num_workers=num_workers,
            collate_fn=_collate,
            pin_memory=torch.cuda.is_available(),
        )
        end_workers_with_parent(loader)
        quiet = runner.rank != 0
        loaded = iter(track(loader, 'Computing frame features', disable=quiet, transient=True))
        for part in mine:
            features, stamps = [], []
            for _ in range(0, len(cache.part_range(part)), _BATCH):
                batch, batch_stamps = next(loaded)
                features.append(model.embed_frames(batch).float().cpu().numpy())
                stamps.append(batch_stamps)
            columns = np.concatenate(stamps).T
            size, modified = columns[:2].astype(np.int64)
            cache.write_part(
                part, np.concatenate(features), FrameStamps(size, modified, columns[2])
            )
        for _ in loaded:  # lets the bar finish
            pass
        barrier()
        from_first_rank(lambda: _join(cache, frames.table.paths, about))


def _join(cache: FeatureCache, paths: list[str], about: dict) -> None:
    """Join the parts, unless another run has just done so and removed them.

    Raises:
        ValueError: If frames have changed since their features were computed.
    """
    if cache.remove_stale_parts(paths):
        raise ValueError(
            'frame files have changed while their features were computed; start again once '
            'nothing writes to them: what is still right is kept'
        )
    try:
        cache.join(about)
    except FileNotFoundError:
        if cache.features() is None:
            raise
        cache.remove_parts()


def _missing_parts(runner: Runner, cache: FeatureCache, paths: list[str]) -> list[int]:
    """Return the parts to compute, if the disk holds them and the memory map of all.

    Parts of frames that have changed since are removed.

    Raises:
        ValueError: If it does not.
    """
    cache.folder.mkdir(parents=True, exist_ok=True)
    cache.remove_abandoned()
    stale = cache.remove_stale_parts(paths)
    if stale:
        runner.logger.warning(
            f'{stale} parts of the frame features in {cache.folder} are computed anew: their '
            'frame files have changed'
        )
    missing = cache.missing_parts()
    share = len(missing) / cache.num_parts
    needed, free = (1 + share) * cache.num_bytes, shutil.disk_usage(cache.folder).free
    if needed > free:
        raise ValueError(
            f'the frame features need {needed / 1e9:.1f} GB in {cache.folder}, where '
            f'{free / 1e9:.1f} GB are free; set cache_dir of FeatureCacheHook to a folder on a '
            'larger disk, or leave the hook out'
        )
    return missing


def _is_usable(runner: Runner, cache: FeatureCache, frames: Any, model: Any) -> bool:
    """Check a cache against the files and the encoder; discard it when it is stale."""
    features, stamps = cache.features(), cache.stamps()
    if features is None or stamps is None:
        if features is not None:
            cache.remove_features()
        return False
    updated = update_stamps(frames.table.paths, stamps)
    reason = 'a frame file has changed'
    if updated is not None:
        rows = np.unique(np.linspace(0, len(frames) - 1, _SAMPLE).astype(int))
        batch, _ = _collate([frames[int(row)] for row in rows])
        expected = model.embed_frames(batch).float().cpu().numpy()
        difference = np.linalg.norm(features.take(rows) - expected, axis=1)
        if (difference <= _MOST_DIFFERENT * np.linalg.norm(expected, axis=1)).all():
            if not np.array_equal(updated.modified, stamps.modified):
                cache.write_stamps(updated)
            return True
        reason = 'the encoder gives other features now'
    runner.logger.warning(f'the frame features in {cache.folder} are built anew: {reason}')
    cache.discard()
    return False


def _collate(items: list[dict]) -> tuple[torch.Tensor, np.ndarray]:
    """Stack frames, uint8, (N, 3, H, W), and stamps, uint64, (N, 3)."""
    frames = torch.stack([item['frame'] for item in items])
    return frames, np.array([item['stamp'] for item in items], np.uint64)


@contextlib.contextmanager
def _evaluation(model: nn.Module) -> Any:
    """Keep a model in evaluation mode."""
    was_training = model.training
    model.eval()
    try:
        yield model
    finally:
        model.train(was_training)


def _precision(device: torch.device) -> str:
    """Name the precision that products are computed in."""
    if torch.is_autocast_enabled(device.type):
        return str(torch.get_autocast_dtype(device.type))
    return f'float32 ({torch.get_float32_matmul_precision()})'


def _digest_module(module: nn.Module) -> str:
    """Digest the structure of a module and all its values."""
    digest = hashlib.sha256(repr(module).encode())
    for name, value in [*module.named_parameters(), *module.named_buffers()]:
        digest.update(f'{name} {value.dtype} {tuple(value.shape)}'.encode())
        digest.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
