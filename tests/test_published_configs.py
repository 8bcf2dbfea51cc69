"""The published configs differ from ours in what the README of configs/csip lists, no more."""

import re
from pathlib import Path

import pytest
from mmengine.config import Config

CSIP = Path(__file__).parents[1] / 'configs' / 'csip'
# Found in the published configs besides the switches: the same thing under another name.
FOLLOWING = {
    'default_hooks.pretrained.checkpoint',
    'default_hooks.prototypes.dataloader.dataset.pipeline.0.mode',
    'default_hooks.prototypes.dataloader.sampler.shuffle',
    'default_hooks.prototypes.dataloader.dataset.pipeline.2.missing',
    'prototype_dataloader.dataset.pipeline.2.missing',
    'prototype_pipeline.0.mode',
    'prototype_pipeline.2.missing',
    'test_evaluator.protocol',
    'train_dataloader.dataset.pipeline.2.missing',
    'train_dataloader.dataset.pipeline.5.mirror_skeletons',
    'train_dataloader.dataset.pipeline.6.place_by_size',
}


def differences(ours, published, path=''):
    """Paths of the values in which two configs differ."""
    if isinstance(ours, dict) and isinstance(published, dict):
        pairs = {str(key): (ours.get(key), published.get(key)) for key in {**ours, **published}}
    elif isinstance(ours, list | tuple) and isinstance(published, list | tuple):
        assert len(ours) == len(published), path
        pairs = {str(i): pair for i, pair in enumerate(zip(ours, published, strict=True))}
    else:
        return {path: published} if ours != published else {}
    found = {}
    for key, pair in pairs.items():
        found |= differences(*pair, f'{path}.{key}'.lstrip('.'))
    return found


def changed(stage):
    ours, published = (
        Config.fromfile(CSIP / f'stage{stage}_mars{suffix}.py').to_dict()
        for suffix in ('', '_published')
    )
    return {k: v for k, v in differences(ours, published).items() if k not in FOLLOWING}


PREPROCESSOR = {
    f'model.data_preprocessor.{name}.{i}': value
    for name, values in (('mean', (123.675, 116.28, 103.53)), ('std', (58.395, 57.12, 57.375)))
    for i, value in enumerate(values)
}


def test_stage_1_switches():
    assert changed(1) == PREPROCESSOR | {
        'model.skeleton_encoder.encoding': 'published',
        'model.skeleton_encoder.random_signs': True,
        'model.loss.normalize': False,
        'model.loss.temperature': 1.0,
        'model.loss.loss_weight': 2.0,
        'train_pipeline.2.missing': 'zeros',
    }


def test_stage_2_switches():
    assert changed(2) == PREPROCESSOR | {
        'model.skeleton_encoder.encoding': 'published',
        'model.skeleton_encoder.random_signs': True,
        'model.temporal.scrambled_skeletons': True,
        'model.temporal.type_embed_std': 1.0,
        'model.prototype_loss.normalize': False,
        'model.prototype_loss.temperature': 1.0,
        'model.freeze_skeletons': False,
        'model.skeleton_dropout': 0.0,
        'train_pipeline.2.missing': 'zeros',
        'train_pipeline.5.mirror_skeletons': False,
        'train_pipeline.6.place_by_size': True,
        'prototype_dataloader.dataset.pipeline.0.mode': 'restricted_random',
        'prototype_dataloader.sampler.shuffle': True,
        'default_hooks.prototypes.train_mode': True,
        'default_hooks.checkpoint.save_best': None,
        'default_hooks.checkpoint.rule': None,
        'val_evaluator.protocol': 'csip',
        'train_cfg.val_interval': 2,
    }


@pytest.mark.parametrize('stage', [1, 2])
def test_readme_names_every_switch(stage):
    readme = (CSIP / 'README.md').read_text(encoding='utf-8')
    for path in changed(stage):
        if not re.search(r'\.(rule|checkpoint)$', path):
            leaf = re.sub(r'\.\d+$', '', path).rpartition('.')[2]
            assert f'{leaf}=' in readme, path
