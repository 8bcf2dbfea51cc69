import itertools
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from torch import nn

from csipreid.engine.compilation import compile_options, compile_parts
from csipreid.registry import MODELS, RUNNERS
from csipreid.structures import ReIDDataSample

ROOT = Path(__file__).parents[2]
_runs = itertools.count()


def test_true_takes_the_defaults_and_false_nothing(monkeypatch):
    monkeypatch.setattr(shutil, 'which', lambda name: f'/usr/bin/{name}')
    assert compile_options(True) == {}
    assert compile_options(dict(mode='max-autotune')) == dict(mode='max-autotune')
    assert compile_options(False) is None
    assert compile_options(None) is None


def test_a_missing_compiler_is_named(monkeypatch):
    monkeypatch.setattr(shutil, 'which', lambda name: None)
    monkeypatch.setenv('CXX', 'clang++-99')
    with pytest.raises(ValueError, match=r'needs a C\+\+ compiler, and clang\+\+-99 was not found'):
        compile_options(True)
    assert compile_options(dict(backend='aot_eager')) == dict(backend='aot_eager')


def test_another_value_is_refused():
    with pytest.raises(ValueError, match="True, False or a dict of arguments, got 'yes'"):
        compile_options('yes')


def test_a_model_without_a_known_part_is_refused():
    with pytest.raises(ValueError, match=r"one of the parts .*'temporal'.* got a Linear"):
        compile_parts(nn.Linear(2, 2), {})


def stage2(dropout=0.0):
    """Stage 2 of the walkers, smaller; without dropout nothing is random."""
    cfg = Config.fromfile(ROOT / 'configs' / 'csip' / 'stage2_walkers.py').model
    cfg.image_encoder.arch.num_layers = 2
    cfg.temporal.dropout = cfg.prototype_updater.dropout = cfg.skeleton_dropout = dropout
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('csipreid'):
        model = MODELS.build(cfg, default_args=dict(num_ids=2, num_cams=2))
    shape = model.prototype_bank.image_prototypes.shape
    model.prototype_bank.fill(torch.randn(shape), torch.randn(shape))
    return model.train()


def train(model, steps=3, lr=1e-3):
    """Losses of a few steps on one batch."""
    torch.manual_seed(1)
    samples = [ReIDDataSample(pid=i // 2, camid=i % 2, label=i // 2) for i in range(4)]
    frames = [torch.randint(0, 256, (2, 3, 64, 32), dtype=torch.uint8) for _ in range(4)]
    inputs = dict(frames=frames, skeletons=[torch.randn(2, 17, 3) for _ in range(4)])
    data = model.data_preprocessor(dict(inputs=inputs, data_samples=samples), True)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    values = []
    for _ in range(steps):
        losses = model(**data, mode='loss')
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        values.append([loss.item() for loss in losses.values()])
    return values


@pytest.mark.slow
def test_stage_2_trains_the_same_and_keeps_its_keys():
    expected = train(stage2())
    model = stage2()
    keys = list(model.state_dict())
    # The graphs are traced and differentiated, but not translated, which takes minutes.
    parts = compile_parts(model, dict(backend='aot_eager'))
    assert parts == ['image_encoder', 'skeleton_encoder', 'temporal', 'prototype_updater']
    torch.testing.assert_close(
        torch.tensor(train(model)), torch.tensor(expected), rtol=1e-5, atol=0
    )
    assert list(model.state_dict()) == keys
    layers = [*model.image_encoder.layers, model.temporal]
    assert all(module._compiled_call_impl is not None for module in layers)


def test_an_encoder_on_a_backbone_runs_compiled_in_all_its_methods():
    model = nn.Module()
    model.image_encoder = MODELS.build(
        dict(
            type='MMPretrainImageEncoder',
            backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8),
            image_size=(64, 32),
            embed_dim=6,
        )
    ).eval()
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph

    assert compile_parts(model, dict(backend=backend)) == ['image_encoder']
    with torch.no_grad():
        model.image_encoder.global_embedding(torch.randn(2, 3, 64, 32))
    assert graphs


@pytest.mark.slow
@pytest.mark.parametrize('dropout', [0.0, 0.5])
def test_compiled_dropout_draws_anew_in_each_step(dropout):
    model = stage2(dropout)
    compile_parts(model, dict(backend='aot_eager'))
    first, second = torch.tensor(train(model, steps=2, lr=0))  # the weights stay
    assert first.isfinite().all()
    assert torch.equal(first, second) == (dropout == 0)


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.image_encoder = nn.Sequential(nn.Linear(2, 8), nn.GELU(), nn.Linear(8, 2))

    def forward(self, x, mode='tensor'):
        out = self.image_encoder(x)
        return dict(loss=out.square().mean()) if mode == 'loss' else out


class Data(torch.utils.data.Dataset):
    metainfo = dict(dataset_name='toy')  # noqa: RUF012

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return dict(x=torch.full((2,), index / 8))


def run(tmp_path, **changes):
    """Train, and return the losses and the weights."""
    name = f'compile{next(_runs)}'
    cfg = dict(
        runner_type='ReIDRunner', default_scope='csipreid', work_dir=str(tmp_path / name),
        experiment_name=name, log_level='WARNING', randomness=dict(seed=0),
        model=dict(type=Model), train_cfg=dict(by_epoch=True, max_epochs=1),
        train_dataloader=dict(
            batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'), dataset=dict(type=Data),
        ),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(plain=dict(type='PlainCheckpointHook')),
    )  # fmt: skip
    cfg = Config(cfg)
    cfg.merge_from_dict(changes)
    runner = RUNNERS.build(cfg)
    runner.train()
    losses = runner.message_hub.get_scalar('train/loss').data[0]
    file = tmp_path / name / 'epoch_1.pth'
    return runner, losses, torch.load(file, weights_only=True)['state_dict']


@pytest.mark.slow
def test_the_switch_of_a_config_trains_the_same(tmp_path):
    _, expected, weights = run(tmp_path)
    runner, losses, compiled = run(tmp_path, compile=True)
    assert runner.bare_model.image_encoder._compiled_call_impl is not None
    assert losses == pytest.approx(expected, rel=1e-5)
    assert compiled.keys() == weights.keys()
    assert runner.cfg.compile is True


def test_switched_off_nothing_is_compiled(tmp_path):
    runner, *_ = run(tmp_path, compile=False)
    assert runner.bare_model.image_encoder._compiled_call_impl is None
