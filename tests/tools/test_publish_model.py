import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config

from csipreid.apis import VideoReIDInferencer
from csipreid.checkpoint import read_checkpoint, write_checkpoint
from csipreid.registry import MODELS

ROOT = Path(__file__).parents[2]
TINY = f"""
_base_ = '{ROOT}/configs/csip/stage2_walkers.py'
model = dict(
    image_encoder=dict(
        arch=dict(
            _delete_=True, embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=32,
            patch_size=8,
        ),
        embed_dim=8,
    ),
    skeleton_encoder=dict(embed_dim=16, depth=1, num_heads=2, feedforward_channels=32),
    temporal=dict(num_heads=2),
    prototype_updater=dict(num_heads=2),
)
"""
DATASET_META = dict(dataset_name='mars', num_ids=4, num_cams=2)


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools' / 'model_converters' / 'publish_model.py'
    spec = importlib.util.spec_from_file_location('publish_model', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'tiny.py'
    path.write_text(TINY)
    return path


@pytest.fixture
def trained(config):
    """A checkpoint as training writes it, with an optimiser's state."""
    torch.manual_seed(0)
    cfg = Config.fromfile(config)
    model = MODELS.build(cfg.model, default_args=dict(num_ids=4, num_cams=2))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    path = config.with_name('epoch_30.pth')
    content = dict(
        state_dict=model.state_dict(),
        optimizer=dict(state={0: torch.ones(1000)}),
        meta=dict(dataset_meta=DATASET_META, epoch=30),
    )
    write_checkpoint(content, path)
    return path


def publish(tool, config, trained):
    tool.main([str(config), str(trained), str(config.parent / 'out' / 'csip.pth')])
    (published,) = (config.parent / 'out').iterdir()
    return published


def test_features_stay_the_same(tool, config, trained):
    published = publish(tool, config, trained)
    frames = np.random.default_rng(0).integers(256, size=(8, 64, 32, 3), dtype=np.uint8)
    full, stripped = (
        VideoReIDInferencer(config, path, device='cpu')([frames]) for path in (trained, published)
    )
    assert np.array_equal(full, stripped)


def test_only_what_testing_needs_is_left(tool, config, trained, capsys):
    published = publish(tool, config, trained)
    content = read_checkpoint(published)
    parts = {name.split('.')[0] for name in content['state_dict']}
    assert parts == {'image_encoder', 'camera_embedding', 'temporal'}
    assert set(content) == {'state_dict', 'meta'}
    assert published.stat().st_size < trained.stat().st_size
    printed = capsys.readouterr().out
    assert 'before:' in printed
    assert f'{len(content["state_dict"])} tensors, {published}' in printed


def test_name_ends_in_the_hash_of_the_file(tool, config, trained):
    published = publish(tool, config, trained)
    digest = hashlib.sha256(published.read_bytes()).hexdigest()
    assert published.name == f'csip-{digest[:8]}.pth'


def test_meta_data_tells_how_to_use_it(tool, config, trained):
    meta = read_checkpoint(publish(tool, config, trained))['meta']
    cfg = Config.fromfile(config)
    assert meta['input_size'] == list(cfg.image_size)
    assert (meta['clip_len'], meta['epoch']) == (cfg.test_pipeline[0].clip_len, 30)
    assert (meta['mean'], meta['std']) == (
        cfg.model.data_preprocessor.mean,
        cfg.model.data_preprocessor.std,
    )
    assert meta['dataset_meta'] == DATASET_META
    assert Config.fromstring(meta['config'], '.py').model.type == 'VideoReID'


def test_published_file_can_be_published_again(tool, config, trained):
    first = publish(tool, config, trained)
    tool.main([str(config), str(first), str(config.parent / 'again' / 'csip.pth')])
    (again,) = (config.parent / 'again').iterdir()
    assert (
        read_checkpoint(first)['state_dict'].keys() == read_checkpoint(again)['state_dict'].keys()
    )


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda content: content['state_dict'].pop('temporal.norm1.bias'), 'temporal.norm1.bias'),
        (lambda content: content['state_dict'].update(other=torch.ones(1)), 'unknown: other'),
        (lambda content: content.pop('meta'), 'does not say how many identities'),
        (
            lambda content: content['meta'].update(dataset_meta=DATASET_META | dict(num_cams=3)),
            'camera_embedding',
        ),
    ],
)
def test_misfit_is_refused_and_writes_nothing(tool, config, trained, change, message):
    content = torch.load(trained, weights_only=True)
    change(content)
    torch.save(content, trained)
    with pytest.raises(SystemExit, match=message):
        publish(tool, config, trained)
    assert {path.name for path in config.parent.iterdir()} == {'tiny.py', 'epoch_30.pth'}


@pytest.mark.parametrize('harm', ['truncated', 'missing'])
def test_broken_file_is_refused(tool, config, trained, harm):
    content = trained.read_bytes()
    trained.unlink()
    if harm == 'truncated':
        trained.write_bytes(content[:3000])
    with pytest.raises(SystemExit, match=r'not found|truncated'):
        publish(tool, config, trained)


def test_missing_config_is_named(tool, config, trained):
    with pytest.raises(SystemExit, match=r'other\.py not found'):
        publish(tool, config.with_name('other.py'), trained)


@pytest.mark.slow
def test_test_command_takes_the_published_file(tool, config, trained):
    from csipreid.synthetic import write_walkers

    few = dict(num_train_ids=1, num_test_ids=2, num_cams=2, tracklets=(1, 1), frames=(4, 4))
    write_walkers(config.parent / 'data', **few)
    published = publish(tool, config, trained)
    scores = {}
    for path in (trained, published):
        out = path.with_suffix('.json')
        subprocess.run(
            [
                sys.executable,
                str(ROOT / 'tools' / 'test.py'),
                str(config),
                str(path),
                *('--data-root', str(config.parent / 'data')),
                *('--work-dir', str(config.parent / 'work'), '--out', str(out)),
                *('--cfg-options', 'test_dataloader.num_workers=0'),
            ],
            check=True,
            env=os.environ | dict(PYTHONPATH=str(ROOT)),
        )
        scores[path] = out.read_text()
    assert 'reid/mAP' in scores[published]
    assert scores[published] == scores[trained]
