"""Parity with the published CLIP-ReID code: both of its stages, on clips and on images."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from mmengine.config import Config
from parity_rows import (
    CONFIGS,
    FORWARD,
    GRADIENT,
    LOSS,
    RATE,
    STEP,
    Case,
    Recorded,
    Row,
    build_model,
    check_shape,
    compare,
    compare_named,
    gradient_rows,
    part_rows,
    position_row,
    rated_step_rows,
    set_tower,
    step_rows,
)
from torch import Tensor

from csipreid.checkpoint import fill_module
from csipreid.models.official_keys import text_to_csipreid
from csipreid.structures import ReIDDataSample

_PROMPTS = 'prompt_learner.cls_ctx'


def blocks(case: Case) -> dict[str, Callable[[], Iterator[Row]]]:
    """Return what is compared, by name.

    Raises:
        ValueError: If the arrays contradict the sizes.
    """
    sizes = case.meta['sizes']
    expected = (sizes['batch'], sizes['clip_len'], 3, *sizes['image_size'])
    check_shape(case.io, 'img', expected)
    return {
        'stage 1 forward and gradients': lambda: stage1_rows(case),
        'stage 1 optimiser steps': lambda: stage1_train_rows(case),
        'stage 2 forward and gradients': lambda: stage2_rows(case, '', 'stage2'),
        'single images': lambda: stage2_rows(case, 'still_', 'still'),
        'stage 2 optimiser steps': lambda: train_rows(case, fast=False),
        'stage 2 optimiser steps at a large rate': lambda: train_rows(case, fast=True),
    }


def build(case: Case, stage: int) -> tuple[Any, Config]:
    """Return the model of a stage in training mode, and its config."""
    sizes = case.meta['sizes']
    cfg = Config.fromfile(CONFIGS / 'clipreid' / f'clipreid_stage{stage}_mars_published.py')
    patch = case.state['image_encoder.patch_embed.projection.weight'].shape[-1]
    set_tower(cfg.model, dict(sizes, patch=patch), sizes['image_size'])
    cfg.model.num_ids = sizes['num_ids']
    if stage == 1:
        cfg.model.text_encoder.update(
            width=sizes['text_width'],
            num_layers=sizes['text_layers'],
            num_heads=sizes['text_heads'],
        )
        model = build_model(cfg)
        tower = {key: t for key, t in case.state.items() if key.startswith('image_encoder.')}
        state = tower | text_to_csipreid(case.apart)
    else:
        cfg.model.num_cams = sizes['num_cams']
        if sizes['sie_camera']:
            cfg.model.camera_embedding = dict(type='CameraEmbedding')
        model, state = build_model(cfg), case.state
    fill_module(model, state, 'the converted state dict', ('prototype_bank.',))
    if stage == 2:
        model.prototype_bank.fill(case.io['text_features'])
    return model.train(), cfg


def make_batch(
    case: Case,
    order: Tensor | None = None,
    mirrored: bool = False,
    camera_shift: int = 0,
    still: bool = False,
) -> dict[str, Any]:
    """Return the clips, or their first frames, in another order, their cameras moved."""
    io = case.io
    order = torch.arange(len(io['pid'])) if order is None else order
    frames = io['img'][order, :1] if still else io['img'][order]
    pids, cams = io['pid'][order].tolist(), io['cam'].roll(camera_shift).tolist()
    samples = [
        ReIDDataSample(pid=pid, label=pid, camid=camid)
        for pid, camid in zip(pids, cams, strict=True)
    ]
    return dict(inputs=dict(frames=frames.flip(-1) if mirrored else frames), data_samples=samples)


def stage1_rows(case: Case) -> Iterator[Row]:
    """Compare tokens, features, losses and gradients of stage 1."""
    model = build(case, 1)[0]
    io, batch, text = case.io, make_batch(case), model.text_encoder
    names = dict(prompts=_PROMPTS) | {
        f'text_encoder.{key}': f'text_encoder.{key}' for key, _ in text.named_parameters()
    }
    case.official_names.update(names)
    yield position_row(case)
    ids, used = io['token_ids'].tolist(), io['used_token_ids'].tolist()
    yield compare('token numbers', text.token_ids, ids, 0)
    table = torch.zeros(max(used) + 1, io['used_token_embedding'].shape[1])
    table[used] = io['used_token_embedding']
    with torch.no_grad():
        words = model.prompts[io['pid']]
        prompts = text.embed(words)[0]
        fixed = [i for i, token in enumerate(ids) if i not in text.places]
        yield compare('token embedding', prompts[fixed], table[ids][fixed], FORWARD)
        images, texts = model.extract_feat(batch['inputs']), text(words)
        model.update_prototypes()
    for name, value in (
        ('stage1_prompts_clip0', prompts),
        ('stage1_image_features', images),
        ('stage1_text_features', texts),
        ('stage1_logits', images @ texts.T),
        ('text_features', model.prototype_bank.text_prototypes),
    ):
        yield compare(name, value, io[name], FORWARD)
    text.requires_grad_(True)  # the published code computes these gradients, and reads none
    losses = model(**batch, mode='loss')
    recorded = case.meta['stage1_losses_parts']
    log_prob = [(images @ texts.T).log_softmax(dim=1), (texts @ images.T).log_softmax(dim=1)]
    same = (io['pid'][:, None] == io['pid'][None]).float()
    for name, part in zip(('i2t', 't2i'), log_prob, strict=True):
        value = -((part * same).sum(dim=1) / same.sum(dim=1)).mean()
        yield compare(f'stage 1 {name} loss', value, recorded[name], LOSS)
    yield compare('stage 1 loss', sum(losses.values()), recorded['total'], LOSS)
    meta = case.meta
    norms = meta['stage1_grad_norms'] | meta['stage1_unused_grad_norms']
    yield from gradient_rows(case, model, losses, 'stage 1 gradient norms', norms)
    gradient = io['stage1_cls_ctx_grad']
    yield compare('stage 1 gradient of the words', model.prompts.grad, gradient, GRADIENT)


def stage1_train_rows(case: Case) -> Iterator[Row]:
    """Train twelve epochs of stage 1 from stored features."""
    meta, io = case.meta, case.io
    model, cfg = build(case, 1)
    case.official_names['prompts'] = _PROMPTS
    decay = cfg.optim_wrapper.optimizer.weight_decay
    yield compare('stage 1 weight decay', [decay], meta['stage1_weight_decay'], RATE)
    epochs = []
    with torch.no_grad():
        features = model.extract_feat(make_batch(case)['inputs'])
    for e, recorded_order in enumerate(meta['stage1_orders'], start=1):
        order = torch.arange(len(io['pid'])).roll(e)
        yield compare(f'epoch {e}', order, recorded_order, 0, group='stage 1 orders')
        epochs.append(
            [
                dict(
                    inputs=dict(frame_features=features[part][:, None]),
                    data_samples=[
                        ReIDDataSample(label=label) for label in io['pid'][part].tolist()
                    ],
                )
                for part in order.split(meta['sizes']['stage1_batch'])
            ]
        )
    recorded = Recorded(losses=meta['stage1_train_losses'], rates=meta['stage1_lrs'])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    yield from step_rows(case, 'stage 1', model, cfg, epochs, recorded)
    after = model.state_dict()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    names = {case.official_names[name]: 1.0 for name in changed}
    for key in ('stage1_changed', 'stage1_trained'):
        yield from compare_named(f'{key} parameters', names, dict.fromkeys(meta[key], 1.0), 0)
    yield compare('words after stage 1', model.prompts, io['stage1_cls_ctx_after'], STEP)


def stage2_rows(case: Case, prefix: str, key: str) -> Iterator[Row]:
    """Compare outputs, losses, gradients and the test feature of stage 2."""
    io, meta, still = case.io, case.meta, bool(prefix)
    model, cfg = build(case, 2)
    batch = make_batch(case, still=still)
    with torch.no_grad():
        outputs = model.training_outputs(**batch)
    logits = model.prototype_loss.logits(outputs.features[-1], outputs.prototypes)
    computed = {
        **{f'scores{part}': score for part, score in enumerate(outputs.scores)},
        **{f'feat{part}': feature for part, feature in enumerate(outputs.features)},
        'logits': logits,
    }
    if not still:
        necks = (model.image_head.neck, model.projected_head.neck)
        computed['running_mean_after'] = torch.cat([neck.running_mean for neck in necks])
    for name, value in computed.items():
        yield compare(f'{prefix}{name}', value, io[f'{prefix}{name}'], FORWARD)
    recorded = meta[f'{key}_losses']
    yield from part_rows(model, cfg, outputs, io['pid'], recorded, f'{key} ')
    model, cfg = build(case, 2)
    losses = model(**batch, mode='loss')
    for name, part, value in (
        ('id', 'identity', recorded['ID_LOSS']),
        ('triplet', 'triplet', recorded['TRI_LOSS']),
        ('prototype', 'prototype', recorded['I2T_LOSS']),
    ):
        weight = cfg.model[f'{part}_loss'].loss_weight
        yield compare(f'{key} {part} loss', losses[f'loss_{name}'] / weight, value, LOSS)
    yield compare(f'{key} total loss', sum(losses.values()), recorded['total_loss'], LOSS)
    norms = meta[f'{key}_grad_norms']
    yield from gradient_rows(case, model, losses, f'{key} gradient norms', norms)
    model = build(case, 2)[0].eval()
    with torch.no_grad():
        feature = model(**batch, mode='tensor')
        name = f'{prefix}eval_feat'
        yield compare(name, feature, io[name], FORWARD)
        parts = feature.split([model.image_encoder.feat_dim, model.image_encoder.embed_dim], dim=1)
        heads = (model.image_head, model.projected_head)
        normed = [head.neck(part) for head, part in zip(heads, parts, strict=True)]
        yield compare(f'{name}_after', torch.cat(normed, dim=1), io[f'{name}_after'], FORWARD)


def train_rows(case: Case, fast: bool) -> Iterator[Row]:
    """Train twelve steps as recorded."""
    keys = ('stage2_', 'stage2_lrs_first_group')
    yield from rated_step_rows(case, 'stage 2', build(case, 2), make_batch, keys, fast)


if __name__ == '__main__':
    print('usage: python tools/analysis_tools/check_parity.py --help; this file is a part of it')
