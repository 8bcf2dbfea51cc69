"""The two stages of training and the forward of testing, with measures on and off."""

import statistics
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from benchmark_data import make_data_set
from benchmark_measure import compare, count_flops, in_turn, peak_memory
from benchmark_models import SIZES, build_model, load_config, make_batch, training_step
from benchmark_published import NAMED, SWITCHES, switched_off
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from torch import nn

from csipreid.engine.activation_checkpointing import checkpoint_activations
from csipreid.engine.hooks import FeatureCacheHook
from csipreid.feature_cache import FeatureCache, FrameStamps
from csipreid.registry import DATASETS

_FRAMES_PER_TRACKLET = 61  # of MARS, on average
_EPOCHS = 120
_BUILD_FRAMES = 64  # that the cache is built of
_TOWER = ('fused_attention', 'lean_feed_forward')  # measures that stage 1 has, but for the cache


def stage2_job(
    size: str, device: str, off: Sequence[str] = (), checkpointing: bool = False
) -> Callable[[], object]:
    """Make one training step of stage 2, for a process of its own."""
    model = build_model(2, size, device)
    if checkpointing:
        checkpoint_activations(model, ['image_encoder.layers'])
    step = training_step(model, load_config(2, size))
    return partial(_step_without, model, step, make_batch(size, SIZES[size].stage2_clips), off)


def _step_without(
    model: nn.Module, step: Callable[[dict], dict], batch: dict, off: Sequence[str]
) -> dict:
    """Take a step with measures switched off."""
    with switched_off(model, off):
        return step(batch)


def stage2_losses(size: str, device: str, off: Sequence[str] = ()) -> dict[str, float]:
    """Return the losses of stage 2 without dropout, whose draws depend on how it is computed."""
    model = build_model(2, size, device)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    torch.manual_seed(0)
    data = model.data_preprocessor(make_batch(size, SIZES[size].stage2_clips), True)
    with switched_off(model, off):
        losses = model(**data, mode='loss')
    return {name: float(loss.detach()) for name, loss in losses.items()}


def measure_stage2(size: str, device: str) -> dict[str, dict]:
    """Compare the step with the published way, and with each measure switched off."""
    chosen, config = SIZES[size], load_config(2, size)
    batch = make_batch(size, chosen.stage2_clips)
    model = build_model(2, size, device)
    step = training_step(model, config)
    switches: dict[str, tuple[str, ...]] = dict(ours=(), step=tuple(SWITCHES), named_measures=NAMED)
    first = {
        name: partial(_step_without, model, step, batch, off) for name, off in switches.items()
    }
    seconds = in_turn(first, chosen.rounds, device)
    peaks = {
        name: peak_memory(stage2_job, size, device, off, device=device)
        for name, off in switches.items()
    }
    frames = chosen.stage2_clips * config.clip_len
    flops = count_flops(first['ours'])
    items = {
        f'stage2.{name}': compare(
            seconds['ours'],
            seconds[name],
            peaks['ours'],
            peak_mb_without=peaks[name],
            memory_ratio=peaks['ours'] / peaks[name],
            frames_per_second=frames / statistics.median(seconds['ours']),
            gflops=flops / statistics.median(seconds['ours']) / 1e9,
        )
        for name in ('step', 'named_measures')
    }
    alone = {name: partial(_step_without, model, step, batch, (name,)) for name in SWITCHES}
    alone = dict(ours=first['ours'], **alone)
    seconds = in_turn(alone, max(1, chosen.rounds - 1), device)
    for name in SWITCHES:
        items[f'stage2.{name}'] = compare(seconds['ours'], seconds[name])
    del model, step, first, alone
    return items | _measure_variants(size, device)


def _measure_variants(size: str, device: str) -> dict[str, dict]:
    """Measure what a config may ask for: checkpointing, half precision, the fused optimiser."""
    chosen, config = SIZES[size], load_config(2, size)
    batch = make_batch(size, chosen.stage2_clips)
    model = build_model(2, size, device)
    step = partial(training_step(model, config), batch)
    with ExitStack() as stack:
        jobs: dict[str, Callable[[], object]] = dict(ours=step)
        if torch.device(device).type != 'cpu':
            half = training_step(model, config, type='AmpOptimWrapper')
            jobs['amp'] = partial(half, batch)
        seconds = in_turn(jobs, 1, device) if len(jobs) > 1 else {}
        stack.callback(jobs.clear)
    items = {}
    if 'amp' in seconds:
        items['stage2.amp'] = compare(seconds['amp'], seconds['ours'])
    checkpointed = build_model(2, size, device)
    checkpoint_activations(checkpointed, ['image_encoder.layers'])
    jobs = dict(ours=partial(training_step(checkpointed, config), batch), plain=step)
    seconds = in_turn(jobs, 1, device)
    peaks = [
        peak_memory(stage2_job, size, device, (), flag, device=device) for flag in (True, False)
    ]
    items['stage2.activation_checkpointing'] = compare(
        seconds['ours'],
        seconds['plain'],
        peaks[0],
        peak_mb_without=peaks[1],
        memory_ratio=peaks[0] / peaks[1],
    )
    return items


def measure_test(size: str, device: str) -> dict[str, dict]:
    """Compare the forward of testing with the published way, and with the machine's own speed."""
    chosen, config = SIZES[size], load_config(2, size)
    model = build_model(2, size, device).eval()
    batch = make_batch(size, chosen.test_clips, skeletons=False)
    data = model.data_preprocessor(batch, False)
    frames = chosen.test_clips * config.clip_len
    multiply, product_flops = matrix_products(model, frames, device)

    def forward(off: Sequence[str] = ()) -> None:
        with torch.no_grad(), switched_off(model, off):
            model(**data, mode='tensor')

    jobs = dict(ours=forward, published=partial(forward, tuple(SWITCHES)), machine=multiply)
    seconds = in_turn(jobs, 2 * chosen.rounds + 1, device)
    flops = count_flops(forward)
    shares = [
        (flops / own) / (product_flops / machine)
        for own, machine in zip(seconds['ours'], seconds['machine'], strict=True)
    ]
    item = compare(
        seconds['ours'],
        seconds['published'],
        gflops=flops / statistics.median(seconds['ours']) / 1e9,
        machine_gflops=product_flops / statistics.median(seconds['machine']) / 1e9,
        share_of_machine=statistics.median(shares),
        frames_per_second=frames / statistics.median(seconds['ours']),
        gflop_per_frame=flops / frames / 1e9,
    )
    return {'test.forward': item}


def matrix_products(model: Any, frames: int, device: str) -> tuple[Callable[[], None], int]:
    """Make the tower's largest products alone, as often as it has layers, and count them.

    They are those of the feed-forward layers, (N L, W) x (W, 4 W) and back, by plain torch.
    """
    tower = model.image_encoder
    length, width = tower.pos_embed.shape[1], tower.feat_dim
    hidden = tower.layers[0].ffn.layers[1].in_features
    tokens = torch.randn(frames * length, width, device=device)
    widen, narrow = (
        torch.randn(shape, device=device) for shape in ((width, hidden), (hidden, width))
    )
    repeats = len(tower.layers)

    def multiply() -> None:
        for _ in range(repeats):
            (tokens @ widen) @ narrow

    return multiply, repeats * 2 * 2 * frames * length * width * hidden


def measure_stage1(size: str, device: str) -> dict[str, dict]:
    """Compare epochs with stored and with computed frame features, and measure the storing."""
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
    """Compare an epoch of one batch: loading in this process, then the training step."""
    chosen, config = SIZES[size], load_config(1, size)
    make_data_set(root, size, chosen.stage1_clips, config.clip_len)
    model = build_model(1, size, device)
    step = training_step(model, config)
    plain, cached = _data_set(root, size), _data_set(root, size)
    table = cached.single_frames().table
    count = len(table.paths)
    cache = FeatureCache(root / 'cache', count, model.image_encoder.embed_dim, 'float32')
    values = np.random.default_rng(0).normal(size=(count, model.image_encoder.embed_dim))
    none = np.zeros(count, np.int64)
    cache.write_part(0, values.astype(np.float32), FrameStamps(none, none, none.astype(np.uint64)))
    cache.join({})
    cached.use_frame_features(cache.features(), table)

    def epoch(dataset: Any, off: Sequence[str] = ()) -> None:
        batch = pseudo_collate([dataset[index] for index in range(len(dataset))])
        with switched_off(model, off) if off else nullcontext():
            step(batch)

    jobs = dict(
        ours=partial(epoch, cached),
        plain=partial(epoch, plain),
        published=partial(epoch, plain, _TOWER),
    )
    seconds = in_turn(jobs, chosen.rounds - 1, device)
    frames = chosen.stage1_clips * config.clip_len
    rate = frames / statistics.median(seconds['ours'])
    more = dict(frames_per_second=rate, clips=chosen.stage1_clips)
    return (
        compare(seconds['ours'], seconds['plain'], **more),
        compare(seconds['ours'], seconds['published'], **more),
    )
