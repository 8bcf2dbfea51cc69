"""Every shipped config builds, and short configs swap parts by inheritance."""

import inspect
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from csipreid.engine.config import RUNNER_KEYS, check_top_level_keys
from csipreid.engine.config_check import check_config
from csipreid.registry import DATA_SAMPLERS, HOOKS, METRICS, MODELS, RUNNERS, TRANSFORMS

ROOT = Path(__file__).parents[1]
# A study is no config of a run; tests/tools/test_run_study.py reads it.
CONFIGS = sorted(
    path
    for path in (ROOT / 'configs').rglob('*.py')
    if path.parent.name != '_base_' and not path.name.startswith('study_')
)
# Top-level names of ours that are no argument of the runner.
VARIABLES = {
    'base_lr',
    'batch_size',
    'clip_len',
    'data_root',
    'dataset',
    'embed_dim',
    'image_size',
    'max_epochs',
    'num_instances',
    'prototype_dataloader',
    'prototype_pipeline',
    'test_batch_size',
    'test_pipeline',
    'train_pipeline',
}


def build_model(model):
    """Build a model as the runner does, with the sizes that data would give."""
    sizes = inspect.signature(MODELS.get(model.type)).parameters
    defaults = {name: n for name, n in dict(num_ids=5, num_cams=2).items() if name in sizes}
    with DefaultScope.overwrite_default_scope('csipreid'):
        return MODELS.build(model, default_args=defaults)


def tiny(path, tmp_path, text):
    """Write a config that inherits from a shipped one and adds ``text``."""
    child = tmp_path / 'child.py'
    child.write_text(f"_base_ = '{ROOT / 'configs' / path}'\n{text}")
    return Config.fromfile(child)


def batch(cfg, with_skeletons=True):
    """Random inputs of 2 identities x 2 tracklets, as a data loader yields them."""
    from csipreid.structures import ReIDDataSample

    size = cfg.image_size
    frames = [torch.randint(0, 256, (4, 3, *size), dtype=torch.uint8) for _ in range(4)]
    inputs = dict(frames=frames)
    samples = [ReIDDataSample(pid=i // 2, camid=i % 2, label=i // 2) for i in range(4)]
    if with_skeletons:
        inputs['skeletons'] = [torch.randn(4, 17, 3) for _ in range(4)]
        for sample in samples:
            sample.skeleton_valid = torch.ones(4, dtype=torch.bool)
    return dict(inputs=inputs, data_samples=samples)


def losses(model, data):
    """Run the model as training does."""
    if getattr(model, 'prototype_bank', None) is not None:
        shape = model.prototype_bank.image_prototypes.shape
        model.prototype_bank.fill(torch.randn(shape), torch.randn(shape))
    data = model.data_preprocessor(data, True)
    return model(**data, mode='loss')


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_config_has_only_names_that_something_reads(path):
    cfg = Config.fromfile(path)
    assert set(cfg) - RUNNER_KEYS - VARIABLES == set()
    check_top_level_keys(cfg)
    check_config(cfg)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_config_builds(path):
    cfg = Config.fromfile(path)
    assert RUNNERS.get(cfg.runner_type).__name__ == 'ReIDRunner'
    # Shapes without memory, since ViT-B/16 has 86 million weights; the towers of the walkers are
    # small, and mmpretrain's networks cannot be built so.
    with torch.device('cpu' if 'walkers' in path.stem else 'meta'):
        build_model(cfg.model)
    with DefaultScope.overwrite_default_scope('csipreid'):
        for hook in cfg.default_hooks.values():
            if hook is not None:
                HOOKS.build(hook)
        evaluator = cfg.test_evaluator
        for metric in evaluator if isinstance(evaluator, list) else [evaluator]:
            METRICS.build(metric)
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            for transform in loader.dataset.pipeline:
                TRANSFORMS.build(transform)


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_base_batch_size_is_the_batch_of_one_process(path):
    cfg = Config.fromfile(path)
    loader = cfg.train_dataloader
    assert cfg.auto_scale_lr == dict(enable=False, base_batch_size=loader.batch_size)
    assert loader.sampler.get('batch_size', loader.batch_size) == loader.batch_size


def files_to_read(path):
    """The config and all it inherits from."""
    bases = [
        line.split("'")[1]
        for line in path.read_text(encoding='utf-8').splitlines()
        if line.startswith('_base_ = ')
    ]
    return [path] + [file for base in bases for file in files_to_read(path.parent / base)]


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_config_is_known_from_few_files(path):
    most = 4 if path.parent.name in ('baselines', 'csip_plus', 'skeleton') else 3
    assert len(files_to_read(path)) <= most


def test_test_pipelines_of_stage_2_read_no_skeleton():
    for name in ('stage2_mars', 'stage2_walkers'):
        cfg = Config.fromfile(ROOT / 'configs' / 'csip' / f'{name}.py')
        types = [step.type for step in cfg.test_dataloader.dataset.pipeline]
        assert 'LoadSkeletons' not in types
        assert 'LoadSkeletons' in [step.type for step in cfg.train_dataloader.dataset.pipeline]


def test_temporal_module_swaps_for_mean_pooling(tmp_path):
    cfg = tiny(
        'csip/stage2_walkers.py',
        tmp_path,
        "model = dict(temporal=dict(_delete_=True, type='MeanPooling'))",
    )
    model = build_model(cfg.model)
    assert type(model.temporal).__name__ == 'MeanPooling'
    assert all(value.isfinite() for value in losses(model, batch(cfg)).values())


def test_image_backbone_swaps_for_a_resnet_of_mmpretrain(tmp_path):
    cfg = tiny(
        'csip/stage2_walkers.py',
        tmp_path,
        """
model = dict(
    image_encoder=dict(
        _delete_=True,
        type='MMPretrainImageEncoder',
        backbone=dict(type='mmpretrain.ResNet', depth=50),
        embed_dim=32,
    ),
)
""",
    )
    model = build_model(cfg.model)
    assert model.image_encoder.feat_dim == 2048
    assert all(value.isfinite() for value in losses(model, batch(cfg)).values())


def test_depth_of_the_skeleton_encoder_swaps(tmp_path):
    text = 'model = dict(skeleton_encoder=dict(depth={}))'
    shallow, deep = (
        build_model(tiny('csip/stage1_walkers.py', tmp_path, text.format(depth)).model)
        for depth in (1, 4)
    )
    count = [sum(p.numel() for p in m.skeleton_encoder.parameters()) for m in (shallow, deep)]
    assert count[1] > 2 * count[0]


def test_loss_swaps(tmp_path):
    cfg = tiny(
        'csip/stage1_walkers.py',
        tmp_path,
        'model = dict(loss=dict(normalize=False, temperature=1.0, loss_weight=2.0))',
    )
    model = build_model(cfg.model)
    assert model.contrastive_loss.normalize is False
    assert losses(model, batch(cfg))['loss_contrastive'].isfinite()


def test_identity_sampler_swaps(tmp_path):
    cfg = tiny(
        'csip/stage2_walkers.py',
        tmp_path,
        "train_dataloader = dict(sampler=dict(_delete_=True, type='DefaultSampler', shuffle=True))",
    )
    check_config(cfg)
    sampler = cfg.train_dataloader.sampler
    with DefaultScope.overwrite_default_scope('csipreid'):
        drawn = list(DATA_SAMPLERS.build(sampler, default_args=dict(dataset=range(50), seed=0)))
    assert drawn != sorted(drawn)
    assert sorted(drawn) == list(range(50))  # every tracklet once, whose it may be


@pytest.mark.parametrize('name', ['csip/stage1_walkers', 'csip/stage2_walkers'])
def test_every_trained_parameter_gets_a_gradient(name):
    cfg = Config.fromfile(ROOT / 'configs' / f'{name}.py')
    model = build_model(cfg.model)
    sum(losses(model, batch(cfg)).values()).backward()
    without = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []
