"""Parity with the published TF-CLIP code."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from mmengine.config import Config
from parity_rows import (
    CONFIGS,
    FORWARD,
    LOSS,
    Case,
    Row,
    build_model,
    check_shape,
    compare,
    gradient_rows,
    part_rows,
    position_row,
    rated_step_rows,
    set_tower,
)
from torch import Tensor

from csipreid.checkpoint import fill_module
from csipreid.datasets.transforms import SampleClip
from csipreid.models.cross_modal import mean_over_clips
from csipreid.structures import ReIDDataSample

_ZERO_GRADIENT = 0.1  # the tolerance for gradients that are rounding is absolute: 1e-4


def blocks(case: Case) -> dict[str, Callable[[], Iterator[Row]]]:
    """Return what is compared, by name.

    Raises:
        ValueError: If the arrays contradict the sizes.
    """
    sizes = case.meta['sizes']
    expected = (sizes['batch'], sizes['clip_len'], 3, *sizes['image_size'])
    check_shape(case.io, 'img', expected)
    case.zero_gradients = dict.fromkeys(case.meta['zero_gradients'], _ZERO_GRADIENT)
    return {
        'CLIP memory': lambda: memory_rows(case),
        'forward and gradients': lambda: forward_rows(case),
        'test feature': lambda: eval_rows(case),
        'optimiser steps': lambda: train_rows(case, fast=False),
        'optimiser steps at a large rate': lambda: train_rows(case, fast=True),
    }


def build(case: Case) -> tuple[Any, Config]:
    """Return the model in training mode, and its config."""
    sizes = case.meta['sizes']
    cfg = Config.fromfile(CONFIGS / 'tfclip' / 'tfclip_mars_published.py')
    patch = case.state['image_encoder.patch_embed.projection.weight'].shape[-1]
    set_tower(cfg.model, dict(sizes, patch=patch), sizes['image_size'])
    cfg.model.update(num_ids=sizes['num_ids'], num_cams=sizes['num_cams'])
    cfg.model.temporal.update(num_heads=sizes['tmd_heads'])
    cfg.model.prototype_updater.update(num_heads=sizes['ssp_heads'], dropout=0.0)
    model = build_model(cfg)
    fill_module(model, case.state, 'the converted state dict', ('prototype_bank.',))
    model.prototype_bank.fill(case.io['prototypes'])
    return model.train(), cfg


def make_batch(
    case: Case, order: Tensor | None = None, mirrored: bool = False, camera_shift: int = 0
) -> dict[str, Any]:
    """Return the clips in another order, perhaps mirrored, with their cameras moved."""
    order = torch.arange(len(case.io['pid'])) if order is None else order
    frames = case.io['img'][order]
    pids = case.io['pid'][order].tolist()
    cams = case.io['cam'].roll(camera_shift).tolist() if camera_shift else case.io['cam'].tolist()
    samples = [
        ReIDDataSample(pid=pid, label=pid, camid=camid)
        for pid, camid in zip(pids, cams, strict=True)
    ]
    return dict(inputs=dict(frames=frames.flip(-1) if mirrored else frames), data_samples=samples)


def _memory(case: Case) -> tuple[Tensor, list[int], list[int]]:
    """Cut the tracklets of the memory into dense clips.

    Returns:
        Clips (N, T, 3, H, W), how many each tracklet has, and its camera.
    """
    step = SampleClip(clip_len=case.meta['sizes']['clip_len'], mode='dense')
    clips, counts = [], []
    for frames in case.io['memory_frames'].split(case.io['memory_lengths'].tolist()):
        inds = torch.from_numpy(step.transform(dict(frame_paths=range(len(frames))))['frame_inds'])
        clips.append(frames[inds])
        counts.append(len(inds))
    return torch.cat(clips), counts, case.io['memory_cams'].tolist()


@torch.no_grad()
def memory_rows(case: Case) -> Iterator[Row]:
    """Compare the prototypes, and the test features of whole tracklets."""
    model, io = build(case)[0].eval(), case.io
    clips, counts, cams = _memory(case)
    yield compare('clips of a tracklet', counts, case.meta['memory_clips_per_tracklet'], 0)
    features = model.extract_pair(dict(frames=clips)).image
    yield compare('features of the memory clips', features, io['memory_clip_features'], FORWARD)
    labels = io['memory_labels']
    of_clips = labels.repeat_interleave(torch.tensor(counts))
    tracklets = mean_over_clips(features, counts)
    for name, rows, ids in (
        ('prototypes', tracklets, labels),
        ('prototypes_windows', features, of_clips),
    ):
        means = torch.stack([rows[ids == label].mean(dim=0) for label in ids.unique()])
        yield compare(name, means, io[name], FORWARD)
    samples = [
        ReIDDataSample(camid=cam, num_clips=count) for cam, count in zip(cams, counts, strict=True)
    ]
    clips_features = model.extract_feat(dict(frames=clips), samples)
    dense = mean_over_clips(clips_features, counts)
    yield compare('test feature of whole tracklets', dense, io['eval_dense_feat'], FORWARD)
    image = model.extract_pair(dict(frames=io['img'])).image
    yield compare('feature without camera', image, io['clip_embedding'], FORWARD)
    yield position_row(case)


def forward_rows(case: Case) -> Iterator[Row]:
    """Compare outputs, losses and gradients in training mode."""
    io = case.io
    model, cfg = build(case)
    batch = make_batch(case)
    with torch.no_grad():
        outputs = model.training_outputs(**batch)
        image = model.encode_frames(batch['inputs']['frames'], io['cam'].tolist())
        diffused = model.temporal.diffuse(image.tokens)
    logits = partial(model.prototype_loss.logits, outputs.features[1])
    bank = model.prototype_bank.image_prototypes
    bank_only = [bank.expand(len(io['pid']), -1, -1)]
    means = [
        head.running_mean
        for head in (
            model.image_head.neck,
            model.projected_head.neck,
            model.temporal_head.neck,
            model.temporal_head.frame_neck,
        )
    ]
    computed = {
        **{f'scores{part}': outputs.scores[part] for part in range(3)},
        **{f'feat{part}': outputs.features[part] for part in range(3)},
        'frame_scores': outputs.frame_scores.flatten(0, 1),
        'prototype_logits': logits(outputs.prototypes),
        'logits_memory_only': logits(*bank_only),
        'tokens_clip0': image.tokens[0],
        'projected_clip0': image.projected[0],
        'ssp_memory': image.projected.mean(dim=1),
        'ssp_update': outputs.prototypes - bank,
        'tmd_tokens_clip0': diffused[0],
        'frame_feat': diffused.mean(dim=2),
        'running_mean_after': torch.cat(means),
    }
    for name, value in computed.items():
        yield compare(name, value, io[name], FORWARD)
    recorded = case.meta['losses']
    yield from part_rows(model, cfg, outputs, io['pid'], recorded)
    memory_only = model.prototype_loss(outputs.features[1], *bank_only, io['pid'])
    yield compare('memory only loss', memory_only, recorded['I2T_LOSS_memory_only'], LOSS)
    model, cfg = build(case)
    losses = model(**batch, mode='loss')
    frame = losses['loss_frame']
    for name, value, expected in (
        ('identity loss', losses['loss_id'] / _weight(cfg, 'identity'), recorded['ID_LOSS']),
        ('triplet loss', losses['loss_triplet'] / _weight(cfg, 'triplet'), recorded['TRI_LOSS']),
        ('prototype loss', losses['loss_prototype'], recorded['I2T_LOSS']),
        ('frame loss', frame, recorded['frame_loss']),
        ('frame loss before T', frame * case.meta['sizes']['clip_len'], recorded['frame_ce']),
        ('loss without frames', sum(losses.values()) - frame, recorded['main_loss']),
        ('total loss', sum(losses.values()), recorded['total_loss']),
    ):
        yield compare(name, value, expected, LOSS)
    yield from gradient_rows(case, model, losses, 'gradient norms', case.meta['grad_norms'])


def _weight(cfg: Config, name: str) -> float:
    """Return the weight of a loss."""
    return cfg.model[f'{name}_loss'].get('loss_weight', 1.0)


@torch.no_grad()
def eval_rows(case: Case) -> Iterator[Row]:
    """Compare the test features, before and behind the necks."""
    model = build(case)[0].eval()
    batch = make_batch(case)
    yield compare('test feature', model(**batch, mode='tensor'), case.io['eval_feat'], FORWARD)
    features = model.training_outputs(**batch).features
    necks = (model.image_head.neck, model.projected_head.neck)
    normed = [neck(feature) for neck, feature in zip(necks, features, strict=False)]
    name = 'test feature behind the necks'
    yield compare(name, torch.cat(normed, dim=1), case.io['eval_feat_after'], FORWARD)


def train_rows(case: Case, fast: bool) -> Iterator[Row]:
    """Train twelve steps as recorded."""
    keys = ('', 'train_lrs_first_group')
    yield from rated_step_rows(case, 'training', build(case), make_batch, keys, fast)


if __name__ == '__main__':
    print('usage: python tools/analysis_tools/check_parity.py --help; this file is a part of it')
