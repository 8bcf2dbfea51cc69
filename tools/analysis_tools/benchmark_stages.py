"""Training steps of stage 2 and the forward of testing, with measures on and off."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from benchmark_measure import (
    Peak,
    compare,
    compare_peaks,
    count_flops,
    in_turn,
    peak_memory,
    speed,
)
from benchmark_models import SIZES, build_model, load_config, make_batch, training_step
from benchmark_published import NAMED, SWITCHES, switched_off
from torch import nn

from csipreid.engine.activation_checkpointing import checkpoint_activations
from csipreid.engine.mixed_precision import choose_dtype


def stage2_job(
    size: str,
    device: str,
    off: Sequence[str] = (),
    checkpointing: bool = False,
    precision: str | None = None,
) -> Callable[[], object]:
    """Make one training step of stage 2, for a process of its own.

    Args:
        size: Key of ``SIZES``.
        device: Where it runs.
        off: Measures to switch off.
        checkpointing: Whether the layers of the image tower are computed twice.
        precision: As of ``--amp``; None is float32.
    """
    model = build_model(2, size, device)
    if checkpointing:
        checkpoint_activations(model, ['image_encoder.layers'])
    step = training_step(model, load_config(2, size), **_amp(precision))
    return partial(_step_without, model, step, make_batch(size, SIZES[size].stage2_clips), off)


def _amp(precision: str | None) -> dict[str, str]:
    """Return what ``--amp`` changes in the config of the optimiser's wrapper."""
    return {} if precision is None else dict(type='MixedPrecisionOptimWrapper', precision=precision)


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
    """Measure the training step in float32 and, on a GPU, under ``--amp``.

    Returns:
        - ``stage2.step``: our step beside the published way, with all of ``SWITCHES`` off;
        - ``stage2.named_measures``: beside the step with those of ``NAMED`` off;
        - ``stage2.<switch>``: beside the step with this one off;
        - ``stage2.fused_optimiser``: beside the step with torch's own choice of the
          optimiser's kernel, which on a CPU is a loop over the parameters;
        - ``stage2.activation_checkpointing``: the step that computes the layers of the image
          tower twice beside ours;
        - on other devices than the CPU what :func:`measure_amp` says.
    """
    chosen, config = SIZES[size], load_config(2, size)
    batch = make_batch(size, chosen.stage2_clips)
    model = build_model(2, size, device)
    step = training_step(model, config)
    switches: dict[str, tuple[str, ...]] = dict(ours=(), step=tuple(SWITCHES), named_measures=NAMED)
    jobs: dict[str, Callable[[], object]] = {
        name: partial(_step_without, model, step, batch, off) for name, off in switches.items()
    }
    frames = chosen.stage2_clips * config.clip_len
    machine, machine_flops = matrix_products(model, frames, device)
    seconds = in_turn(dict(jobs, machine=machine), chosen.rounds, device)
    peaks = {
        name: peak_memory(stage2_job, size, device, off, device=device)
        for name, off in switches.items()
    }
    flops = count_flops(jobs['ours'])
    rates = _rates(seconds, frames, flops, machine_flops)
    items = {
        f'stage2.{name}': compare(
            seconds['ours'], seconds[name], **compare_peaks(peaks['ours'], peaks[name]), **rates
        )
        for name in ('step', 'named_measures')
    }
    plain = training_step(model, config, optimizer=dict(config.optim_wrapper.optimizer, fused=None))
    alone: dict[str, Callable[[], object]] = {
        name: partial(_step_without, model, step, batch, (name,)) for name in SWITCHES
    }
    alone['fused_optimiser'] = partial(plain, batch)
    seconds = in_turn(dict(alone, ours=jobs['ours']), max(1, chosen.rounds - 1), device)
    for name in alone:
        items[f'stage2.{name}'] = compare(
            seconds['ours'],
            seconds[name],
            peaks['ours'].extra,
            peak_total_mb=peaks['ours'].total,
        )
    del model, step, jobs, plain, alone, machine  # the memory is needed
    if torch.device(device).type != 'cpu':
        items |= measure_amp(size, device)
    return items | _measure_checkpointing(size, device, peaks['ours'])


def _rates(
    seconds: Mapping[str, list[float]], frames: int, flops: int, machine_flops: int
) -> dict[str, float]:
    """Return frames and operations a second of the job ``ours``, beside the ``machine``'s."""
    return dict(
        frames_per_second=frames / statistics.median(seconds['ours']),
        **speed(seconds['ours'], seconds['machine'], flops, machine_flops),
    )


def measure_amp(size: str, device: str, precision: str = 'auto') -> dict[str, dict]:
    """Measure the training step under ``--amp``.

    Args:
        size: Key of ``SIZES``.
        device: Where it runs.
        precision: What ``--amp`` is given.

    Returns:
        ``stage2.amp``: our step beside the published way, both under ``--amp``, with the
        share of what the machine gives to products of the same type;
        ``stage2.amp_float32``: beside our step in float32.
    """
    chosen, config = SIZES[size], load_config(2, size)
    batch = make_batch(size, chosen.stage2_clips)
    model = build_model(2, size, device)
    step = training_step(model, config, **_amp(precision))
    published = tuple(SWITCHES)
    frames = chosen.stage2_clips * config.clip_len
    dtype = choose_dtype(precision, torch.device(device).type)
    machine, machine_flops = matrix_products(model, frames, device, dtype)
    jobs: dict[str, Callable[[], object]] = dict(
        ours=partial(step, batch),
        published=partial(_step_without, model, step, batch, published),
        float32=partial(training_step(model, config), batch),
        machine=machine,
    )
    seconds = in_turn(jobs, chosen.rounds, device)
    rates = _rates(seconds, frames, count_flops(jobs['ours']), machine_flops)
    ours, without = (
        peak_memory(stage2_job, size, device, off, False, precision, device=device)
        for off in ((), published)
    )
    return {
        'stage2.amp': compare(
            seconds['ours'],
            seconds['published'],
            **compare_peaks(ours, without),
            **rates,
            dtype=str(dtype).removeprefix('torch.'),
        ),
        'stage2.amp_float32': compare(
            seconds['ours'], seconds['float32'], ours.extra, peak_total_mb=ours.total
        ),
    }


def _measure_checkpointing(size: str, device: str, plain_peak: Peak) -> dict[str, dict]:
    """Compare the step that computes activations twice with the one that keeps them.

    Args:
        size: Key of ``SIZES``.
        device: Where it runs.
        plain_peak: Memory of the one that keeps them.
    """
    config, batch = load_config(2, size), make_batch(size, SIZES[size].stage2_clips)
    model, checkpointed = build_model(2, size, device), build_model(2, size, device)
    checkpoint_activations(checkpointed, ['image_encoder.layers'])
    jobs: dict[str, Callable[[], object]] = dict(
        ours=partial(training_step(checkpointed, config), batch),
        plain=partial(training_step(model, config), batch),
    )
    seconds = in_turn(jobs, 1, device)
    peak = peak_memory(stage2_job, size, device, (), True, device=device)
    return {
        'stage2.activation_checkpointing': compare(
            seconds['ours'], seconds['plain'], **compare_peaks(peak, plain_peak)
        )
    }


def forward_jobs(size: str, device: str) -> tuple[Any, dict[str, Callable[[], object]]]:
    """Make a model and its forward of testing, ours and the published way."""
    model = build_model(2, size, device).eval()
    batch = make_batch(size, SIZES[size].test_clips, skeletons=False)
    data = model.data_preprocessor(batch, False)

    def forward(off: Sequence[str]) -> None:
        with torch.no_grad(), switched_off(model, off):
            model(**data, mode='tensor')

    return model, dict(ours=partial(forward, ()), published=partial(forward, tuple(SWITCHES)))


def forward_job(size: str, device: str) -> Callable[[], object]:
    """Make our forward of testing, for a process of its own."""
    return forward_jobs(size, device)[1]['ours']


def measure_test(size: str, device: str) -> dict[str, dict]:
    """Measure the forward of testing in float32, from normalised frames on the device.

    Returns:
        ``test.forward``: ours beside the published way, with the share of the machine's own
        speed.
    """
    chosen = SIZES[size]
    model, jobs = forward_jobs(size, device)
    frames = chosen.test_clips * load_config(2, size).clip_len
    machine, machine_flops = matrix_products(model, frames, device)
    seconds = in_turn(dict(jobs, machine=machine), 2 * chosen.rounds + 1, device)
    flops = count_flops(jobs['ours'])
    peak = peak_memory(forward_job, size, device, device=device)
    item = compare(
        seconds['ours'],
        seconds['published'],
        peak.extra,
        peak_total_mb=peak.total,
        **_rates(seconds, frames, flops, machine_flops),
        gflop_per_frame=flops / frames / 1e9,
    )
    return {'test.forward': item}


def matrix_products(
    model: Any, frames: int, device: str, dtype: torch.dtype = torch.float32
) -> tuple[Callable[[], None], int]:
    """Make the tower's largest products alone, as often as it has layers, and count them.

    They are those of the feed-forward layers, (N L, W) x (W, 4 W) and back, by plain torch.
    """
    tower = model.image_encoder
    length, width = tower.pos_embed.shape[1], tower.feat_dim
    hidden = tower.layers[0].ffn.layers[1].in_features
    tokens = torch.randn(frames * length, width, device=device, dtype=dtype)
    widen, narrow = (
        torch.randn(shape, device=device, dtype=dtype)
        for shape in ((width, hidden), (hidden, width))
    )
    repeats = len(tower.layers)

    def multiply() -> None:
        for _ in range(repeats):
            (tokens @ widen) @ narrow

    return multiply, repeats * 2 * 2 * frames * length * width * hidden


if __name__ == '__main__':
    print('usage: python tools/analysis_tools/benchmark.py --help; this file is a part of it')
