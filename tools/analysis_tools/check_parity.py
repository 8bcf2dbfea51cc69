"""Hold the toolbox against recorded numbers of the published implementation.

A directory holds ``official_state_dict.pth`` (weights in the published key
layout), ``io.npz`` (inputs and outputs) and ``meta.json`` (sizes, gradient norms
and twelve optimiser steps of each stage). The weights are converted; models,
optimisers and schedules are built from configs/csip/stage?_mars_published.py
with the sizes of ``meta.json`` put in; and every recorded number is compared.

Example::

    python tools/analysis_tools/check_parity.py tests/data/golden_a --json parity.json
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from csipreid.arguments import output_file
from csipreid.checkpoint import fill_module, read_checkpoint
from csipreid.models.official_keys import (
    official_to_csipreid,
    official_to_csipreid_keys,
)
from csipreid.registry import MODELS, PARAM_SCHEDULERS
from csipreid.structures import ReIDDataSample

CONFIGS = Path(__file__).parents[2] / 'configs' / 'csip'
FORWARD, LOSS, GRADIENT, STEP, RATE = 1e-5, 1e-5, 1e-3, 1e-4, 1e-9  # relative tolerances
SMALL_GRADIENT = 1e-3  # below this norm the tolerance is absolute: 1e-6
NUM_STEPS = 12
# Adding the same to all prototypes shifts all logits of a clip alike, so these
# gradients are zero but for rounding, and what is recorded is rounding.
ZERO_GRADIENTS = ('VTU.out_proj.0.bias', 'VTU.out_proj.1.bias')
ZERO_GRADIENT = 1e-2  # the tolerance for them is absolute: 1e-5


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
    """One directory: recorded numbers, and the converted weights."""

    meta: dict[str, Any]
    io: dict[str, Tensor]
    state: dict[str, Tensor]
    official_names: dict[str, str]

    def build(self, stage: int) -> tuple[Any, Config]:
        """Return the model of a stage in training mode, and its config."""
        cfg = sized_config(stage, self.meta)
        with DefaultScope.overwrite_default_scope('csipreid'):
            model = MODELS.build(cfg.model)
        wanted = model.state_dict().keys()
        state = self.state if stage == 2 else {k: v for k, v in self.state.items() if k in wanted}
        fill_module(model, state, 'the converted state dict', ('prototype_bank.',))
        if stage == 2:
            model.prototype_bank.fill(self.io['image_prototypes'], self.io['skeleton_prototypes'])
        # As used when the numbers were recorded: it depends on the processor there.
        model.skeleton_encoder.encoding.copy_(self.io['pos_enc'])
        return model.train(), cfg

    def batch(self, order: Tensor | None = None, shift: int = 0) -> dict[str, Any]:
        """Return the clips in another order, their frames shifted along time."""
        order = torch.arange(len(self.io['pid'])) if order is None else order
        frames, skeletons = (self.io[key][order].roll(shift, dims=1) for key in ('img', 'ske'))
        labels = (self.io[key][order].tolist() for key in ('pid', 'cam'))
        samples = [
            ReIDDataSample(pid=pid, label=pid, camid=camid)
            for pid, camid in zip(*labels, strict=True)
        ]
        return dict(inputs=dict(frames=frames, skeletons=skeletons), data_samples=samples)


def sized_config(stage: int, meta: Mapping[str, Any]) -> Config:
    """Put recorded sizes into a published config, and take its randomness out."""
    cfg = Config.fromfile(CONFIGS / f'stage{stage}_mars_published.py')
    width, proj_dim, skeleton_dim = meta['vision_width'], meta['proj_dim'], meta['ske_dim']
    model = cfg.model
    model.image_encoder.update(
        arch=dict(
            embed_dims=width,
            num_layers=meta['vision_layers'],
            num_heads=meta['vision_heads'],
            feedforward_channels=4 * width,
            patch_size=meta['patch'],
        ),
        image_size=tuple(meta['image_size']),
        embed_dim=proj_dim,
    )
    encoder = model.skeleton_encoder
    encoder.update(
        feedforward_channels=encoder.feedforward_channels * skeleton_dim // encoder.embed_dim,
        embed_dim=skeleton_dim,
        depth=meta['ske_layers'],
        num_heads=meta['ske_heads'],
        dropout=0.0,
        random_signs=False,
    )
    if stage == 2:
        model.update(num_ids=meta['num_ids'], num_cams=meta['num_cams'])
        model.temporal.update(num_heads=meta['sgtm_heads'], dropout=0.0)
        model.prototype_updater.update(num_heads=max(proj_dim // 64, 1), dropout=0.0)
        if not meta['large_fc_lr']:  # of the published configs only that for MARS has it
            cfg.optim_wrapper.paramwise_cfg.lr_mults = {}
    return cfg


def read_case(folder: Path) -> Case:
    """Read a directory and convert its weights.

    Raises:
        OSError: If a file is missing.
        ValueError: If a file is broken or its parts contradict each other.
    """
    meta = json.loads((folder / 'meta.json').read_text(encoding='utf-8'))
    with np.load(folder / 'io.npz', allow_pickle=False) as arrays:
        io = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    official = read_checkpoint(folder / 'official_state_dict.pth')['state_dict']
    state, _ = official_to_csipreid(official)
    expected = (meta['batch'], meta['clip_len'])
    for name, last in (('img', (3, *meta['image_size'])), ('ske', (meta['num_joints'], 3))):
        if tuple(io[name].shape) != (*expected, *last):
            raise ValueError(
                f'{name} in io.npz has shape {tuple(io[name].shape)}, but the sizes in meta.json '
                f'say {(*expected, *last)}'
            )
    names = {mine: theirs for theirs, mine in official_to_csipreid_keys(official).items()}
    return Case(meta, io, state, names)


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
    group: str, actual: Mapping[str, float], expected: Mapping[str, float], tolerance: float
) -> Iterator[Row]:
    """Compare numbers by name; a name on one side only fails."""
    for name in [*expected, *(name for name in actual if name not in expected)]:
        if name in actual and name in expected:
            floor = 0.0
            if tolerance == GRADIENT:
                floor = ZERO_GRADIENT if name in ZERO_GRADIENTS else SMALL_GRADIENT
            yield compare(name, actual[name], expected[name], tolerance, floor, group)
        else:
            side = 'recorded' if name in actual else 'computed'
            yield Row(name, None, None, tolerance, False, group, f'not {side}')


def gradient_rows(
    case: Case, model: nn.Module, losses: Mapping[str, Tensor], stage: int
) -> Iterator[Row]:
    """Compare the gradient norm of every parameter."""
    torch.stack(list(losses.values())).sum().backward()
    norms = {
        case.official_names[name]: parameter.grad.norm().item()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad and parameter.grad is not None
    }
    recorded = case.meta[f'stage{stage}_grad_norms']
    yield from compare_named(f'stage {stage} gradient norms', norms, recorded, GRADIENT)


def stage1_rows(case: Case) -> Iterator[Row]:
    """Compare features, loss and gradients of stage 1."""
    model, io = case.build(1)[0], case.io
    batch = case.batch()
    image, skeleton, _ = model.extract_pair(batch['inputs'])
    yield compare('stage 1 image feature', image, io['stage1_image_feat'], FORWARD)
    yield compare('stage 1 skeleton feature', skeleton, io['stage1_skeleton_feat'], FORWARD)
    losses = model(**batch, mode='loss')
    yield compare('stage 1 loss', sum(losses.values()), io['stage1_loss'], LOSS)
    yield from gradient_rows(case, model, losses, 1)


def stage2_rows(case: Case) -> Iterator[Row]:
    """Compare outputs, losses and gradients of stage 2 in training mode."""
    io = case.io
    model, cfg = case.build(2)
    batch = case.batch()
    with torch.no_grad():
        outputs = model.training_outputs(**batch)
        logits = model.prototype_loss.logits(outputs.features[1], outputs.prototypes)
    for part in range(3):
        yield compare(f'stage 2 scores {part}', outputs.scores[part], io[f'scores{part}'], FORWARD)
    for part in range(3):
        yield compare(f'stage 2 feature {part}', outputs.features[part], io[f'feat{part}'], FORWARD)
    yield compare('stage 2 prototype logits', logits, io['prototype_logits'], FORWARD)
    losses = model(**batch, mode='loss')
    parts = case.meta['stage2_split']
    for name, recorded in (
        ('identity', parts['ID_LOSS']),
        ('triplet', parts['TRI_LOSS']),
        ('prototype', parts['CLIP_LOSS']),
        ('frame', io['frame_loss']),
    ):
        short = 'id' if name == 'identity' else name
        value = losses[f'loss_{short}'] / cfg.model[f'{name}_loss'].get('loss_weight', 1.0)
        yield compare(f'stage 2 {name} loss', value, recorded, LOSS)
    yield compare('stage 2 total loss', sum(losses.values()), io['total_loss'], LOSS)
    yield from gradient_rows(case, model, losses, 2)


def eval_rows(case: Case) -> Iterator[Row]:
    """Compare the test feature."""
    model, _ = case.build(2)
    model.eval()
    with torch.no_grad():
        feature = model(**case.batch(), mode='tensor')
    yield compare('test feature', feature, case.io['eval_feat'], FORWARD)


def step_rows(case: Case, stage: int) -> Iterator[Row]:
    """Train twelve steps as recorded; compare losses and learning rates."""
    model, cfg = case.build(stage)
    with DefaultScope.overwrite_default_scope('csipreid'):
        optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        settings = cfg.param_scheduler
        schedulers = [
            PARAM_SCHEDULERS.build(item, default_args=dict(optimizer=optim_wrapper))
            for item in (settings if isinstance(settings, list) else [settings])
        ]
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = {
        case.official_names[names[id(parameter)]]: group
        for group in optim_wrapper.param_groups
        for parameter in group['params']
        if parameter.requires_grad
    }
    base = cfg.optim_wrapper.optimizer.lr
    if stage == 2:
        # What takes part in no result has a rate there, but is not in our models.
        effective = set(case.official_names.values())
        recorded = case.meta['stage2_lr_scale']
        scale = {name: value for name, value in recorded.items() if name in effective}
        ours = {name: group['initial_lr'] / base for name, group in groups.items()}
        yield from compare_named('stage 2 rate multipliers', ours, scale, RATE)
    losses = case.meta[f'stage{stage}_losses']
    rates = case.meta['stage1_lrs' if stage == 1 else 'stage2_lrs_first_group']
    if not len(losses) == len(rates) == NUM_STEPS:
        raise ValueError(f'{len(losses)} losses and {len(rates)} rates, expected {NUM_STEPS} each')

    pids = case.io['pid']
    per_id = len(pids) // len(pids.unique())
    for step, (recorded_loss, rate) in enumerate(zip(losses, rates, strict=True), start=1):
        current = [g['lr'] / g['initial_lr'] * base for g in groups.values()]
        name = f'stage {stage} step {step}'
        yield compare(
            f'{name} rate',
            current,
            [rate] * len(current),
            RATE,
            group=f'stage {stage} learning rates',
        )
        order = torch.arange(len(pids)).roll(step if stage == 1 else per_id * step)
        batch = case.batch(order, step if stage == 1 else 0)
        loss, _ = model.parse_losses(model(**batch, mode='loss'))
        yield compare(f'{name} loss', loss, recorded_loss, STEP)
        optim_wrapper.update_params(loss)
        for scheduler in schedulers:
            scheduler.step()


def check(folder: Path) -> list[Row]:
    """Compare all that a directory records; what cannot be compared fails."""
    try:
        case = read_case(folder)
    except Exception as error:
        return [Row('contents of the directory', None, None, 0.0, False, None, _tell(error))]
    blocks: dict[str, Callable[[], Iterator[Row]]] = {
        'stage 1 forward and gradients': lambda: stage1_rows(case),
        'stage 2 forward and gradients': lambda: stage2_rows(case),
        'test feature': lambda: eval_rows(case),
        'stage 1 optimiser steps': lambda: step_rows(case, 1),
        'stage 2 optimiser steps': lambda: step_rows(case, 2),
    }
    rows: list[Row] = []
    for name, block in blocks.items():
        try:
            rows.extend(block())
        except Exception as error:
            rows.append(Row(name, None, None, 0.0, False, None, _tell(error)))
    return rows


def _tell(error: Exception) -> str:
    """Say what an exception means for a directory."""
    if isinstance(error, KeyError):
        return f'{error.args[0]} is missing'
    return f'{type(error).__name__}: {error}'


def table(rows: Sequence[Row]) -> list[str]:
    """Lay out rows as text, one line for each group."""
    lines = [f'{"quantity":<44}{"max abs diff":>14}{"max rel diff":>14}{"tolerance":>11}  result']
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group or row.quantity, []).append(row)
    for name, members in groups.items():
        grouped = members[0].group is not None
        label = f'{name} ({len(members)})' if grouped else name
        result = 'PASS' if all(row.passed for row in members) else 'FAIL'
        lines.append(
            f'{label:<44}{_worst(members, "absolute"):>14}{_worst(members, "relative"):>14}'
            f'{members[0].tolerance:>11.0e}  {result}'
        )
        for row in [row for row in members if not row.passed]:
            reason = row.note or (f'differs by {row.absolute:.2e}' if grouped else '')
            if reason:
                lines.append(f'    {row.quantity}: {reason}' if grouped else f'    {reason}')
    return lines


def _worst(rows: Sequence[Row], kind: str) -> str:
    """Format the largest difference of some rows."""
    values = [getattr(row, kind) for row in rows if getattr(row, kind) is not None]
    return f'{float(np.max(values)):.2e}' if values else '-'


def main(argv: Sequence[str] | None = None) -> None:
    """Check every directory; exit with status 1 if anything fails or is missing."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('folders', nargs='+', type=Path, metavar='DIR', help='recorded numbers')
    parser.add_argument('--json', type=output_file, metavar='FILE', help='file for all rows')
    args = parser.parse_args(argv)
    results = {}
    for folder in args.folders:
        rows = results[str(folder)] = check(folder)
        print(folder, *table(rows), '', sep='\n')
    failed = sum(not row.passed for rows in results.values() for row in rows)
    if args.json is not None:
        folders = {name: [asdict(row) for row in rows] for name, rows in results.items()}
        args.json.parent.mkdir(parents=True, exist_ok=True)
        partial = args.json.with_name(f'{args.json.name}.partial')
        partial.write_text(json.dumps(dict(passed=not failed, folders=folders), indent=2) + '\n')
        os.replace(partial, args.json)
    print(f'{failed} numbers differ or are missing' if failed else 'all numbers agree')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
