"""Rows of a parity table: what two sides computed, compared, for any published method."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from csipreid.checkpoint import fill_module, read_checkpoint, select_part
from csipreid.models.official_keys import official_to_csipreid, official_to_csipreid_keys
from csipreid.registry import MODELS, PARAM_SCHEDULERS

CONFIGS = Path(__file__).parents[2] / 'configs'
FORWARD, LOSS, GRADIENT, STEP, RATE = 1e-5, 1e-5, 1e-3, 1e-4, 1e-9  # relative tolerances
# Changes of parameters in twelve steps; at the published rates their rounding shows.
UPDATE, FAST_UPDATE = 5e-3, 1e-3
FAST = 200  # factor of the rate in the series that change the weights visibly
SMALL_GRADIENT = 1e-3  # below this norm the tolerance is absolute: 1e-6
NUM_STEPS = 12


@dataclass
class Row:
    """Comparison of one recorded quantity.

    Attributes:
        absolute: Largest absolute difference; None if nothing could be compared.
        relative: The same over the largest recorded magnitude, or over the floor
            of the quantity where that is larger.
        group: Rows of one group are one line of the table, which shows the worst.
        note: What went wrong.
    """

    quantity: str
    absolute: float | None
    relative: float | None
    tolerance: float
    passed: bool
    group: str | None = None
    note: str = ''


@dataclass
class Case:
    """One directory: recorded numbers, and the converted weights.

    Attributes:
        meta: ``meta.json``.
        io: Arrays of ``io.npz``.
        state: Weights of the model of stage 2.
        apart: Tensors of the published state dict that this model does not hold.
        official_names: Our names of parameters to the published ones.
        zero_gradients: Published names of parameters whose gradients are zero but for
            rounding, to the floor of their comparison.
    """

    meta: dict[str, Any]
    io: dict[str, Tensor]
    state: dict[str, Tensor]
    apart: dict[str, Tensor]
    official_names: dict[str, str]
    zero_gradients: dict[str, float] = field(default_factory=dict)


def read_case(folder: Path) -> Case:
    """Read a directory and convert its weights.

    Raises:
        OSError: If a file is missing.
        ValueError: If a file is broken.
    """
    meta = json.loads((folder / 'meta.json').read_text(encoding='utf-8'))
    with np.load(folder / 'io.npz', allow_pickle=False) as arrays:
        io = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    official = read_checkpoint(folder / 'official_state_dict.pth')['state_dict']
    state, apart = official_to_csipreid(official)
    names = {mine: theirs for theirs, mine in official_to_csipreid_keys(official).items()}
    return Case(meta, io, state, apart, names)


def check_shape(io: Mapping[str, Tensor], name: str, expected: tuple[int, ...]) -> None:
    """Refuse an array that contradicts the sizes.

    Raises:
        ValueError: If its shape is another.
    """
    if tuple(io[name].shape) != expected:
        raise ValueError(
            f'{name} in io.npz has shape {tuple(io[name].shape)}, but the sizes in meta.json '
            f'say {expected}'
        )


def set_tower(model: Config, sizes: Mapping[str, int], image_size: Sequence[int]) -> None:
    """Put the sizes of CLIP's image tower into the config of a model.

    Args:
        model: Config of the model.
        sizes: ``width``, ``layers``, ``heads``, ``patch``, ``proj``.
        image_size: Height and width, pixels.
    """
    model.image_encoder.update(
        arch=dict(
            embed_dims=sizes['width'],
            num_layers=sizes['layers'],
            num_heads=sizes['heads'],
            feedforward_channels=4 * sizes['width'],
            patch_size=sizes['patch'],
        ),
        image_size=tuple(image_size),
        embed_dim=sizes['proj'],
    )


def build_model(cfg: Config) -> Any:
    """Build the model of a config."""
    with DefaultScope.overwrite_default_scope('csipreid'):
        return MODELS.build(cfg.model)


def compare(
    quantity: str,
    actual: Any,
    expected: Any,
    tolerance: float,
    floor: float = 0.0,
    group: str | None = None,
) -> Row:
    """Compare numbers relative to the largest expected magnitude, at least ``floor``."""
    ours, theirs = _exact(actual), _exact(expected)
    if ours.shape != theirs.shape:
        note = f'shape {tuple(ours.shape)}, recorded {tuple(theirs.shape)}'
        return Row(quantity, None, None, tolerance, False, group, note)
    absolute = (ours - theirs).abs().max().item()
    scale = max(theirs.abs().max().item(), floor)
    relative = absolute / scale if scale else (0.0 if absolute == 0 else float('inf'))
    # Written so that what is not a number fails.
    return Row(quantity, absolute, relative, tolerance, bool(relative <= tolerance), group)


def _exact(value: Any) -> Tensor:
    """Return numbers as float64, so that plain ones are not rounded."""
    if isinstance(value, Tensor):
        return value.detach().double()
    return torch.from_numpy(np.asarray(value, dtype=np.float64))


def compare_named(
    group: str,
    actual: Mapping[str, float],
    expected: Mapping[str, float],
    tolerance: float,
    floor: float = 0.0,
    floors: Mapping[str, float] | None = None,
) -> Iterator[Row]:
    """Compare numbers by name; a name on one side only fails.

    Args:
        group: Of the rows.
        actual: Ours.
        expected: The recorded ones.
        tolerance: Relative to the recorded number.
        floor: Least magnitude to take it relative to.
        floors: The same for some names.
    """
    for name in [*expected, *(name for name in actual if name not in expected)]:
        if name in actual and name in expected:
            least = (floors or {}).get(name, floor)
            yield compare(name, actual[name], expected[name], tolerance, least, group)
        else:
            side = 'recorded' if name in actual else 'computed'
            yield Row(name, None, None, tolerance, False, group, f'not {side}')


def gradient_rows(
    case: Case,
    model: nn.Module,
    losses: Mapping[str, Tensor],
    group: str,
    recorded: Mapping[str, float],
) -> Iterator[Row]:
    """Compare the gradient norm of every parameter."""
    torch.stack(list(losses.values())).sum().backward()
    norms = {
        case.official_names[name]: parameter.grad.norm().item()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is not None
    }
    yield from compare_named(group, norms, recorded, GRADIENT, SMALL_GRADIENT, case.zero_gradients)


def part_rows(
    model: Any,
    cfg: Config,
    outputs: Any,
    labels: Tensor,
    recorded: Mapping[str, Any],
    name: str = '',
) -> Iterator[Row]:
    """Compare the losses of each head and each feature.

    Args:
        model: Gives the losses.
        cfg: Its config, with their weights.
        outputs: ``features`` (B, ·) and ``scores`` (B, K).
        labels: Int64, (B,).
        recorded: ``id_per_head`` and ``triplet_per_feature``.
        name: What the rows are called.
    """
    for kind, parts, key in (
        ('identity', outputs.scores, 'id_per_head'),
        ('triplet', outputs.features, 'triplet_per_feature'),
    ):
        loss, weight = getattr(model, f'{kind}_loss'), cfg.model[f'{kind}_loss'].loss_weight
        values = [loss(part, labels).item() / weight for part in parts]
        yield compare(f'{name}{kind} losses one by one', values, recorded[key], LOSS)


def position_row(case: Case) -> Row:
    """Compare the position embedding with that of CLIP's grid, resized as it is loaded."""
    sizes = case.meta['sizes']
    patch = case.state['image_encoder.patch_embed.projection.weight'].shape[-1]
    cfg = Config(dict(model=dict(image_encoder=dict(type='CLIPVisionTransformer'))))
    set_tower(cfg.model, dict(sizes, patch=patch), sizes['image_size'])
    encoder = build_model(Config(dict(model=cfg.model.image_encoder)))
    source = case.io['positional_embedding_source'][None]  # (1, 1 + h * w, W)
    state = select_part(case.state, 'image_encoder') | dict(pos_embed=source)
    fill_module(encoder, state, 'the image tower')
    expected = case.state['image_encoder.pos_embed']
    return compare('position embedding', encoder.pos_embed, expected, FORWARD)


@dataclass
class Recorded:
    """What was recorded of twelve optimiser steps.

    Attributes:
        losses: Loss before each step.
        rates: Base rate of each step; None if it was not recorded.
        scale: Rate of each parameter over the base rate, or None.
        updates: Norm of the change of each parameter, or None.
        update_tolerance: Relative tolerance of ``updates``.
    """

    losses: Sequence[float]
    rates: Sequence[float] | None = None
    scale: Mapping[str, float] | None = None
    updates: Mapping[str, float] | None = None
    update_tolerance: float = UPDATE


def rated_step_rows(
    case: Case,
    name: str,
    built: tuple[Any, Config],
    make_batch: Callable[..., dict[str, Any]],
    keys: tuple[str, str],
    fast: bool,
) -> Iterator[Row]:
    """Train twelve steps as recorded, at the published rate or ``FAST`` times that.

    Args:
        case: What was recorded.
        name: What the rows are called.
        built: Model and config.
        make_batch: Makes a batch of the case, an order, whether to flip, and a shift.
        keys: Beginning of the names of what was recorded, and the name of the rates.
        fast: Whether at the great rate.
    """
    (model, cfg), (prefix, rates), pids = built, keys, case.io['pid']
    suffix, factor = ('_fast', FAST) if fast else ('', 1)
    cfg.optim_wrapper.optimizer.lr *= factor
    decay = cfg.optim_wrapper.optimizer.weight_decay
    yield compare(f'weight decay{suffix}', [decay], case.meta[f'{prefix}weight_decay'], RATE)
    per_id = len(pids) // len(pids.unique())
    epochs = [
        [make_batch(case, torch.arange(len(pids)).roll(per_id * e), bool(e % 2), e)]
        for e in range(1, NUM_STEPS + 1)
    ]
    recorded = Recorded(
        losses=case.meta[f'{prefix}train_losses{suffix}'],
        rates=[rate * factor for rate in case.meta[rates]],
        scale=case.meta[f'{prefix}lr_scale'],
        updates=case.meta[f'{prefix}update_norms{suffix}'],
        update_tolerance=FAST_UPDATE if fast else UPDATE,
    )
    yield from step_rows(case, f'{name}{suffix}', model, cfg, epochs, recorded)


def step_rows(
    case: Case,
    name: str,
    model: Any,
    cfg: Config,
    epochs: Sequence[Sequence[dict[str, Any]]],
    recorded: Recorded,
) -> Iterator[Row]:
    """Train as recorded; compare losses, learning rates and changes of the parameters.

    Args:
        case: The directory.
        name: What the rows are called.
        model: In training mode.
        cfg: Its config, with optimiser and schedule.
        epochs: The batches of each epoch.
        recorded: What to compare with.
    """
    with DefaultScope.overwrite_default_scope('csipreid'):
        optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        settings = cfg.param_scheduler
        schedulers = [
            PARAM_SCHEDULERS.build(item, default_args=dict(optimizer=optim_wrapper))
            for item in (settings if isinstance(settings, list) else [settings])
        ]
    parameters = dict(model.named_parameters())
    names = {id(parameter): case.official_names.get(name) for name, parameter in parameters.items()}
    groups = {
        names[id(parameter)]: group
        for group in optim_wrapper.param_groups
        for parameter in group['params']
        if parameter.requires_grad
    }
    base = cfg.optim_wrapper.optimizer.lr
    if recorded.scale is not None:
        # What takes part in no result has a rate there, but is not in our models.
        effective = set(case.official_names.values())
        scale = {name: value for name, value in recorded.scale.items() if name in effective}
        ours = {str(name): group['initial_lr'] / base for name, group in groups.items()}
        yield from compare_named(f'{name} rate multipliers', ours, scale, RATE)
    num_steps = sum(len(batches) for batches in epochs)
    counts = [len(recorded.losses), *([] if recorded.rates is None else [len(recorded.rates)])]
    if len(epochs) != NUM_STEPS or set(counts) != {num_steps}:
        raise ValueError(f'{counts} losses and rates are recorded, expected {num_steps} each')

    before = {key: parameter.detach().clone() for key, parameter in parameters.items()}
    step = 0
    for batches in epochs:
        for batch in batches:
            if recorded.rates is not None:
                current = [g['lr'] / g['initial_lr'] * base for g in groups.values()]
                expected = [recorded.rates[step]] * len(current)
                label = f'{name} step {step + 1} rate'
                yield compare(label, current, expected, RATE, group=f'{name} learning rates')
            loss, _ = model.parse_losses(model(**batch, mode='loss'))
            yield compare(f'{name} step {step + 1} loss', loss, recorded.losses[step], STEP)
            optim_wrapper.update_params(loss)
            step += 1
        for scheduler in schedulers:
            scheduler.step()
    if recorded.updates is not None:
        changes = {
            case.official_names[key]: (parameter.detach() - before[key]).double().norm().item()
            for key, parameter in parameters.items()
            if parameter.requires_grad
        }
        group = f'{name} updates'
        yield from compare_named(group, changes, recorded.updates, recorded.update_tolerance)


if __name__ == '__main__':
    print('usage: python tools/analysis_tools/check_parity.py --help; this file is a part of it')
