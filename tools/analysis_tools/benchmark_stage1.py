"""Stage 1 with stored and with computed frame features."""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from benchmark_data import make_data_set
from benchmark_measure import compare, in_turn, peak_memory
from benchmark_models import SIZES, build_model, load_config, training_step
from benchmark_published import switched_off
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger

from csipreid.engine.hooks import FeatureCacheHook
from csipreid.feature_cache import FeatureCache, FrameStamps
from csipreid.registry import DATASETS

_FRAMES_PER_TRACKLET = 61  # of MARS, on average
_EPOCHS = 120
_BUILD_FRAMES = 64  # that the cache is built of
_TOWER = ('fused_attention', 'lean_feed_forward')  # measures that stage 1 has, but for the cache


def measure_stage1(size: str, device: str) -> dict[str, dict]:
    """Measure epochs and the storing of features.

    Returns:
        - ``stage1.epoch``: an epoch of one batch, loading in this process and the training
          step, with stored features beside computed ones;
        - ``stage1.epoch_published``: the same beside computed ones with the image tower as
          published;
        - ``stage1.cache_build``: the storing beside a plain pass over the same frames;
        - ``stage1.120_epochs``: for a tracklet of 61 frames, calculated from the first and
          the third: storing and 120 epochs beside 120 epochs without.
    """
    with tempfile.TemporaryDirectory() as folder:
        build = _measure_build(Path(folder, 'build'), size, device)
        epoch, published = _measure_epoch(Path(folder, 'epoch'), size, device)
    clips = SIZES[size].stage1_clips
    per_frame = build['ours'] / build['frames']
    stored, computed = epoch['ours'] / clips, epoch['without'] / clips
    with_build = _FRAMES_PER_TRACKLET * per_frame + _EPOCHS * stored
    total = dict(
        ours=with_build, without=_EPOCHS * computed, ratio=with_build / (_EPOCHS * computed)
    )
    return {
        'stage1.epoch': epoch,
        'stage1.epoch_published': published,
        'stage1.cache_build': build,
        'stage1.120_epochs': dict(total, peak_mb=None, per='tracklet'),
    }


def _data_set(root: Path, size: str) -> Any:
    """Read files of :func:`make_data_set` with the pipeline of stage 1."""
    pipeline = load_config(1, size).train_pipeline
    return DATASETS.build(
        dict(type='TrackletFolder', data_root=str(root), subset='train', pipeline=pipeline)
    )


def _measure_build(root: Path, size: str, device: str) -> dict[str, Any]:
    """Compare the building of a cache with a plain pass over the same frames."""
    make_data_set(root, size, 4, _BUILD_FRAMES // 4)
    model = build_model(1, size, device).eval()
    frames = _data_set(root, size).single_frames()
    runner = SimpleNamespace(rank=0, logger=MMLogger.get_current_instance())
    folders = iter(range(1000))

    def build() -> None:
        path = root / f'cache{next(folders)}'
        cache = FeatureCache(path, len(frames), model.image_encoder.embed_dim, 'float32')
        FeatureCacheHook()._build(runner, cache, frames, model, 0, {})

    def passing() -> None:
        images = torch.stack([frames[index]['frame'] for index in range(len(frames))])
        model.embed_frames(images)

    seconds = in_turn(dict(ours=build, passing=passing), SIZES[size].rounds - 1, device)
    return compare(
        seconds['ours'],
        seconds['passing'],
        frames=len(frames),
        frames_per_second=len(frames) / statistics.median(seconds['ours']),
    )


def _measure_epoch(root: Path, size: str, device: str) -> tuple[dict, dict]:
    """Compare an epoch of one batch with and without stored features."""
    chosen, config = SIZES[size], load_config(1, size)
    make_data_set(root, size, chosen.stage1_clips, config.clip_len)
    seconds = in_turn(epoch_jobs(root, size, device), chosen.rounds - 1, device)
    peak = peak_memory(cached_epoch_job, root, size, device, device=device)
    frames = chosen.stage1_clips * config.clip_len
    more = dict(
        peak_mb=peak.extra,
        peak_total_mb=peak.total,
        frames_per_second=frames / statistics.median(seconds['ours']),
        clips=chosen.stage1_clips,
    )
    return (
        compare(seconds['ours'], seconds['plain'], **more),
        compare(seconds['ours'], seconds['published'], **more),
    )


def cached_epoch_job(root: Path, size: str, device: str) -> Callable[[], object]:
    """Make our epoch, for a process of its own."""
    return epoch_jobs(root, size, device)['ours']


def epoch_jobs(root: Path, size: str, device: str) -> dict[str, Callable[[], object]]:
    """Make epochs of one batch from files of :func:`make_data_set`: loading, then the step."""
    model = build_model(1, size, device)
    step = training_step(model, load_config(1, size))
    plain, cached = _data_set(root, size), _data_set(root, size)
    table = cached.single_frames().table
    cache = _filled_cache(root / 'cache', len(table.paths), model.image_encoder.embed_dim)
    cached.use_frame_features(cache.features(), table)

    def epoch(dataset: Any, off: Sequence[str] = ()) -> None:
        batch = pseudo_collate([dataset[index] for index in range(len(dataset))])
        with switched_off(model, off) if off else nullcontext():
            step(batch)

    return dict(
        ours=partial(epoch, cached),
        plain=partial(epoch, plain),
        published=partial(epoch, plain, _TOWER),
    )


def _filled_cache(folder: Path, count: int, dim: int) -> FeatureCache:
    """Open a cache of random features, made where there is none."""
    cache = FeatureCache(folder, count, dim, 'float32')
    if cache.features() is None:
        values = np.random.default_rng(0).normal(size=(count, dim)).astype(np.float32)
        none = np.zeros(count, np.int64)
        cache.write_part(0, values, FrameStamps(none, none, none.astype(np.uint64)))
        cache.join({})
    return cache


if __name__ == '__main__':
    print('usage: python tools/analysis_tools/benchmark.py --help; this file is a part of it')
