"""Parity with the published CSIP-ReID code: both of its stages."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from mmengine.config import Config
from parity_rows import (
    CONFIGS,
    FORWARD,
    LOSS,
    NUM_STEPS,
    Case,
    Recorded,
    Row,
    build_model,
    check_shape,
    compare,
    gradient_rows,
    set_tower,
    step_rows,
)
from torch import Tensor, nn

from csipreid.checkpoint import fill_module
from csipreid.structures import ReIDDataSample

# Adding the same to all prototypes shifts all logits of a clip alike, so these
# gradients are zero but for rounding, and what is recorded is rounding.
_ZERO_GRADIENTS = ('VTU.out_proj.0.bias', 'VTU.out_proj.1.bias')
_ZERO_GRADIENT = 1e-2  # the tolerance for them is absolute: 1e-5


def blocks(case: Case) -> dict[str, Callable[[], Iterator[Row]]]:
    """Return what is compared, by name.

    Raises:
        ValueError: If the arrays contradict the sizes.
    """
    meta = case.meta
    expected = (meta['batch'], meta['clip_len'])
    check_shape(case.io, 'img', (*expected, 3, *meta['image_size']))
    check_shape(case.io, 'ske', (*expected, meta['num_joints'], 3))
    case.zero_gradients = dict.fromkeys(_ZERO_GRADIENTS, _ZERO_GRADIENT)
    return {
        'stage 1 forward and gradients': lambda: stage1_rows(case),
        'stage 2 forward and gradients': lambda: stage2_rows(case),
        'test feature': lambda: eval_rows(case),
        'stage 1 optimiser steps': lambda: train_rows(case, 1),
        'stage 2 optimiser steps': lambda: train_rows(case, 2),
    }


def sized_config(stage: int, meta: Mapping[str, Any]) -> Config:
    """Put recorded sizes into a published config, and take its randomness out."""
    cfg = Config.fromfile(CONFIGS / 'csip' / f'stage{stage}_mars_published.py')
    proj_dim, skeleton_dim = meta['proj_dim'], meta['ske_dim']
    model = cfg.model
    sizes = dict(
        width=meta['vision_width'],
        layers=meta['vision_layers'],
        heads=meta['vision_heads'],
        patch=meta['patch'],
        proj=proj_dim,
    )
    set_tower(model, sizes, meta['image_size'])
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


def build(case: Case, stage: int) -> tuple[Any, Config]:
    """Return the model of a stage in training mode, and its config."""
    cfg = sized_config(stage, case.meta)
    model = build_model(cfg)
    wanted = model.state_dict().keys()
    state = case.state if stage == 2 else {k: v for k, v in case.state.items() if k in wanted}
    fill_module(model, state, 'the converted state dict', ('prototype_bank.',))
    if stage == 2:
        model.prototype_bank.fill(case.io['image_prototypes'], case.io['skeleton_prototypes'])
    # As used when the numbers were recorded: it depends on the processor there.
    model.skeleton_encoder.encoding.copy_(case.io['pos_enc'])
    return model.train(), cfg


def make_batch(case: Case, order: Tensor | None = None, shift: int = 0) -> dict[str, Any]:
    """Return the clips in another order, their frames shifted along time."""
    order = torch.arange(len(case.io['pid'])) if order is None else order
    frames, skeletons = (case.io[key][order].roll(shift, dims=1) for key in ('img', 'ske'))
    labels = (case.io[key][order].tolist() for key in ('pid', 'cam'))
    samples = [
        ReIDDataSample(pid=pid, label=pid, camid=camid) for pid, camid in zip(*labels, strict=True)
    ]
    return dict(inputs=dict(frames=frames, skeletons=skeletons), data_samples=samples)


def stage1_rows(case: Case) -> Iterator[Row]:
    """Compare features, loss and gradients of stage 1."""
    model, io = build(case, 1)[0], case.io
    batch = make_batch(case)
    image, skeleton, _ = model.extract_pair(batch['inputs'])
    yield compare('stage 1 image feature', image, io['stage1_image_feat'], FORWARD)
    yield compare('stage 1 skeleton feature', skeleton, io['stage1_skeleton_feat'], FORWARD)
    losses = model(**batch, mode='loss')
    yield compare('stage 1 loss', sum(losses.values()), io['stage1_loss'], LOSS)
    yield from _gradient_rows(case, model, losses, 1)


def stage2_rows(case: Case) -> Iterator[Row]:
    """Compare outputs, losses and gradients of stage 2 in training mode."""
    io = case.io
    model, cfg = build(case, 2)
    batch = make_batch(case)
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
    yield from _gradient_rows(case, model, losses, 2)


def _gradient_rows(
    case: Case, model: nn.Module, losses: Mapping[str, Tensor], stage: int
) -> Iterator[Row]:
    """Compare the gradient norms of a stage."""
    recorded = case.meta[f'stage{stage}_grad_norms']
    yield from gradient_rows(case, model, losses, f'stage {stage} gradient norms', recorded)


def eval_rows(case: Case) -> Iterator[Row]:
    """Compare the test feature."""
    model, _ = build(case, 2)
    model.eval()
    with torch.no_grad():
        feature = model(**make_batch(case), mode='tensor')
    yield compare('test feature', feature, case.io['eval_feat'], FORWARD)


def train_rows(case: Case, stage: int) -> Iterator[Row]:
    """Train twelve steps as recorded."""
    meta, pids = case.meta, case.io['pid']
    per_id = len(pids) // len(pids.unique())
    epochs = []
    for step in range(1, NUM_STEPS + 1):
        order = torch.arange(len(pids)).roll(step if stage == 1 else per_id * step)
        epochs.append([make_batch(case, order, step if stage == 1 else 0)])
    recorded = Recorded(
        losses=meta[f'stage{stage}_losses'],
        rates=meta['stage1_lrs' if stage == 1 else 'stage2_lrs_first_group'],
        scale=meta['stage2_lr_scale'] if stage == 2 else None,
    )
    yield from step_rows(case, f'stage {stage}', *build(case, stage), epochs, recorded)


if __name__ == '__main__':
    print('usage: python tools/analysis_tools/check_parity.py --help; this file is a part of it')
