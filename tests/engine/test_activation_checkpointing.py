import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from csipreid.engine.activation_checkpointing import checkpoint_activations
from csipreid.registry import MODELS, RUNNERS

ROOT = Path(__file__).parents[2]
_runs = itertools.count()


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.ffn = nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Dropout(0.5), nn.Linear(16, 4))
        self.calls = 0

    def forward(self, x, *, shift=0.0):
        self.calls += 1
        return x + self.ffn(x) + shift


class Tower(nn.Module):
    def __init__(self, depth=3):
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(depth))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x, shift=1.0)
        return x


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.tower = Tower()
        self.neck = nn.BatchNorm1d(4)

    def forward(self, x):
        return self.neck(self.tower(x)).square().sum()


def gradients(model):
    """Gradients of a batch; the dropout draws after the same seed."""
    torch.manual_seed(1)
    inputs = torch.randn(8, 4)  # needs no gradient, like frames
    torch.manual_seed(2)
    model(inputs).backward()
    return [parameter.grad for parameter in model.parameters()]


def saved_bytes(model):
    """Memory of what the graph keeps for the backward pass."""
    sizes = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    kept = []  # so that no address is given twice
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.append(tensor) or pack(tensor), lambda tensor: tensor
    ):
        model(torch.randn(64, 4))
    return sum(sizes.values())


@pytest.mark.parametrize(
    'pattern', ['tower', 'tower.layers', 'tower.layers.*', 'tower.layers.[01]']
)
def test_gradients_are_the_same_with_dropout(pattern):
    expected = gradients(Model())
    model = Model()
    checkpoint_activations(model, pattern)
    for ours, theirs in zip(gradients(model), expected, strict=True):
        assert torch.equal(ours, theirs)
    assert model.tower.layers[0].calls == 2


def test_less_is_kept_for_the_backward_pass():
    model = Model()
    before = saved_bytes(model)
    checkpoint_activations(model, 'tower.layers')
    assert saved_bytes(model) < before / 2


def test_a_list_of_layers_stands_for_its_layers():
    names = ['tower.layers.0', 'tower.layers.1', 'tower.layers.2']
    assert checkpoint_activations(Model(), 'tower.layers') == names
    assert checkpoint_activations(Model(), ['tower.layers.*']) == names


def test_a_star_stands_for_one_part_of_a_name():
    assert checkpoint_activations(Model(), 'tower.*') == [
        'tower.layers.0', 'tower.layers.1', 'tower.layers.2'
    ]  # fmt: skip
    assert checkpoint_activations(Model(), 'tower.layers.*.ffn') == [
        f'tower.layers.{index}.ffn' for index in range(3)
    ]


def test_a_module_inside_another_is_computed_twice_only():
    assert checkpoint_activations(Model(), ['tower.layers.0.ffn', 'tower']) == ['tower']


def test_without_gradients_nothing_is_computed_twice():
    model = Model()
    checkpoint_activations(model, 'tower.layers')
    with torch.no_grad():
        model(torch.randn(4, 4))
    assert model.tower.layers[0].calls == 1


def test_the_state_keeps_its_keys():
    model = Model()
    keys = list(model.state_dict())
    checkpoint_activations(model, 'tower.layers')
    assert list(model.state_dict()) == keys


def test_a_pattern_without_a_module_is_named():
    with pytest.raises(
        ValueError, match=r"is named 'towr.layers'; its parts are \['tower', 'neck'"
    ):
        checkpoint_activations(Model(), 'towr.layers')


def test_batch_norms_are_refused():
    with pytest.raises(ValueError, match='neck has batch norms'):
        checkpoint_activations(Model(), 'neck')


@pytest.mark.parametrize(
    ('pattern', 'parent'),
    [
        ('image_encoder.layers.*.ffn', 'image_encoder.layers.0'),
        ('image_encoder.layers.*.ffn.layers', 'image_encoder.layers.0'),
        ('image_encoder.layers.*.attn', 'image_encoder.layers.0'),
        ('temporal.ffn.*', 'temporal.ffn'),
    ],
)
def test_a_module_that_is_never_called_is_refused(pattern, parent):
    cfg = Config.fromfile(ROOT / 'configs' / 'csip' / 'stage2_walkers.py').model
    with DefaultScope.overwrite_default_scope('csipreid'):
        model = MODELS.build(cfg, default_args=dict(num_ids=2, num_cams=2))
    with pytest.raises(ValueError, match=rf'is never called, .*; name {re.escape(parent)} instead'):
        checkpoint_activations(model, pattern)
    assert checkpoint_activations(model, parent) == [parent]


def rank(index, folder):
    """Gradients of one of two processes, each of which has half of the batch."""
    distributed.init_process_group('gloo', f'file://{folder}/store', world_size=2, rank=index)
    for checkpointed in (False, True):
        model = Model()
        if checkpointed:
            checkpoint_activations(model, 'tower.layers')
        wrapped = DistributedDataParallel(model)
        torch.manual_seed(1)
        inputs = torch.randn(2, 8, 4)[index]
        torch.manual_seed(2 + index)
        wrapped(inputs).backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        torch.save(gradients, f'{folder}/{checkpointed}{index}.pth')
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_agree_on_the_same_gradients(tmp_path):
    subprocess.run([sys.executable, __file__, tmp_path], check=True, timeout=120)
    found = [torch.load(tmp_path / f'{c}{i}.pth') for c in (False, True) for i in (0, 1)]
    for gradients_of_one_parameter in zip(*found, strict=True):
        first = gradients_of_one_parameter[0]
        assert first.abs().sum() > 0
        assert all(torch.equal(other, first) for other in gradients_of_one_parameter)


class Trained(BaseModel):
    def __init__(self):
        super().__init__()
        self.tower = Tower()

    def forward(self, x, mode='tensor'):
        return dict(loss=self.tower(x).square().mean())


class Data(torch.utils.data.Dataset):
    metainfo = dict(dataset_name='toy')  # noqa: RUF012

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return dict(x=torch.full((4,), index / 8))


def train(tmp_path, **changes):
    name = f'checkpointing{next(_runs)}'
    cfg = dict(
        runner_type='ReIDRunner', default_scope='csipreid', work_dir=str(tmp_path / name),
        experiment_name=name, log_level='WARNING', randomness=dict(seed=0),
        model=dict(type=Trained), train_cfg=dict(by_epoch=True, max_epochs=1),
        train_dataloader=dict(
            batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'), dataset=dict(type=Data),
        ),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        default_hooks=dict(plain=dict(type='PlainCheckpointHook')),
        custom_hooks=[dict(type='RandomnessHook')],
    )  # fmt: skip
    runner = RUNNERS.build(Config(cfg | changes))
    runner.train()
    return runner, torch.load(tmp_path / name / 'epoch_1.pth', weights_only=True)


def test_the_switch_of_a_config_trains_the_same_weights(tmp_path):
    _, plain = train(tmp_path)
    runner, ours = train(tmp_path, activation_checkpointing=['tower.layers'])
    assert runner.bare_model.tower.layers[0].calls == 2 * 4
    for key, value in plain['state_dict'].items():
        assert torch.equal(value, ours['state_dict'][key])
    # The config that is kept with the run says so.
    assert "activation_checkpointing = [\n    'tower.layers',\n]" in ours['meta']['cfg']


if __name__ == '__main__':
    # Forked from a process of its own, in which no gradient was computed yet.
    multiprocessing.start_processes(rank, (sys.argv[1],), nprocs=2, start_method='fork')
