"""Sharded training, in gloo processes of their own."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from mmengine.model import BaseModel
from torch import nn

from csipreid.engine.runner import ReIDRunner
from csipreid.engine.sharding import FullyShardedModel, whole_parameters, whole_state
from csipreid.models.feed_forward import FeedForward
from csipreid.registry import MODEL_WRAPPERS

# Forks two ranks that train the same model with DDP and sharded, on different batches.
WORKER = """
import copy, sys, torch
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from torch import distributed, nn
from csipreid.engine.sharding import FullyShardedModel, whole_parameters, whole_state

folder = sys.argv[1]


class Tower(BaseModel):
    def __init__(self):
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, 6))
        self.layers = nn.ModuleList(nn.Linear(6, 6) for _ in range(3))
        self.layers[0].requires_grad_(False)
        self.norm = nn.LayerNorm(6)

    def embed(self, x):
        for layer in self.layers:
            x = layer(x).relu()
        return self.norm(x + self.token[0])

    def forward(self, x, mode='tensor'):
        x = self.embed(x)
        return dict(loss=x.exp().mean()) if mode == 'loss' else x


def optimizer_of(model):
    parameters = [p for p in model.parameters() if p.requires_grad]
    return OptimWrapper(
        torch.optim.Adam(parameters, lr=0.01), accumulative_counts=2,
        clip_grad=dict(max_norm=0.5),
    )


def steps(model, optim_wrapper, batches):
    model.train()
    for batch in batches:
        model.train_step(dict(x=batch), optim_wrapper)


def work(rank):
    distributed.init_process_group('gloo', f'file://{folder}/meet', rank=rank, world_size=2)
    torch.manual_seed(rank)  # the first rank decides where the model starts
    tower = Tower()
    torch.manual_seed(5)
    batches = torch.randn(8, 2, 4, 6)[:, rank]
    ddp = MMDistributedDataParallel(copy.deepcopy(tower), broadcast_buffers=False)
    ddp_optim = optimizer_of(ddp.module)
    steps(ddp, ddp_optim, batches)

    sharded = FullyShardedModel(tower, ['layers'])
    assert [name for name, _ in sharded.named_children()] == ['module']
    optim = optimizer_of(tower)
    with whole_state(sharded, optim):  # nothing to gather yet
        assert type(tower.state_dict()['layers.1.weight']) is torch.Tensor
    steps(sharded, optim, batches[:4])
    # Resuming: another model is filled from what the first wrote, before it is sharded.
    with whole_state(sharded, optim):
        if rank == 0:
            state = dict(model=tower.state_dict(), optimizer=optim.state_dict())
            torch.save(state, f'{folder}/half.pth')
    distributed.barrier()
    state = torch.load(f'{folder}/half.pth', weights_only=True)
    second = FullyShardedModel(Tower(), ['layers'])
    second.module.load_state_dict(state['model'])
    second_optim = optimizer_of(second.module)
    second_optim.load_state_dict(state['optimizer'])
    steps(sharded, optim, batches[4:])
    steps(second, second_optim, batches[4:])

    held = tower.layers[1].weight.to_local().numel()
    moments = optim.optimizer.state[tower.layers[1].weight]['exp_avg'].to_local().numel()
    # Evaluation and other passes that the ranks do not make equally often.
    outputs = []
    sharded.eval()
    ddp.eval()
    with torch.no_grad():
        for batch in batches[: 1 + 2 * rank]:
            expected = ddp.module.embed(batch)
            outputs.append((sharded(batch) - expected).abs().max())
            outputs.append((tower.embed(batch) - expected).abs().max())
    with whole_state(sharded, optim):  # a best checkpoint is written in evaluation mode
        if rank == 0:
            whole = dict(model=tower.state_dict(), optimizer=optim.state_dict())
            torch.save(whole, f'{folder}/sharded.pth')
            ddp_state = dict(model=ddp.module.state_dict(), optimizer=ddp_optim.state_dict())
            torch.save(ddp_state, f'{folder}/ddp.pth')
    with torch.no_grad():
        for batch in batches[: 1 + rank]:
            outputs.append((tower.embed(batch) - ddp.module.embed(batch)).abs().max())
    sharded.train()
    with torch.no_grad(), whole_parameters(sharded):
        for batch in batches[: 2 - rank]:
            tower.embed(batch)
    with whole_state(second, second_optim):
        if rank == 0:
            torch.save(second.module.state_dict(), f'{folder}/resumed.pth')
    steps(sharded, optim, batches[:2])
    facts = dict(held=held, moments=moments, differences=torch.stack(outputs))
    torch.save(facts, f'{folder}/facts_{rank}.pth')
    distributed.destroy_process_group()


torch.multiprocessing.start_processes(work, nprocs=2, start_method='fork')
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """What the ranks wrote."""
    folder = tmp_path_factory.mktemp('sharding')
    env = dict(os.environ, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='')
    result = subprocess.run(
        [sys.executable, '-c', WORKER, str(folder)],
        env=env, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    return folder


def load(path):
    return torch.load(path, weights_only=True)


@pytest.mark.slow
def test_steps_are_those_of_ddp_with_accumulation_and_clipping(folder):
    sharded, ddp = load(folder / 'sharded.pth'), load(folder / 'ddp.pth')
    torch.testing.assert_close(sharded, ddp, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_each_process_holds_half_of_weights_and_moments(folder):
    for rank in (0, 1):
        facts = load(folder / f'facts_{rank}.pth')
        assert (facts['held'], facts['moments']) == (18, 18)  # of 6 x 6


@pytest.mark.slow
def test_evaluation_may_differ_in_length_between_processes(folder):
    for rank in (0, 1):
        assert load(folder / f'facts_{rank}.pth')['differences'].max() < 1e-5


@pytest.mark.slow
def test_resumed_equals_uninterrupted(folder):
    resumed, whole = load(folder / 'resumed.pth'), load(folder / 'sharded.pth')['model']
    assert all(torch.equal(resumed[key], whole[key]) for key in whole)


class Layers(BaseModel):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 2)])

    def forward(self, x, mode='tensor'):
        return self.layers[0](x)


@pytest.mark.parametrize(
    ('group', 'message'),
    [('blocks', "no part 'blocks'"), ('layers.0', "'layers.0' must be a list of layers")],
)
def test_group_that_is_no_list_of_layers_is_named(group, message):
    with pytest.raises(ValueError, match=message):
        MODEL_WRAPPERS.build(dict(type='FullyShardedModel', module=Layers(), groups=[group]))


def test_layers_that_are_never_called_are_refused():
    model = Layers()
    model.ffn = FeedForward(2, 4, 'gelu')
    with pytest.raises(ValueError, match=r'groups: ffn\.0 is never called.*name ffn instead'):
        FullyShardedModel(model, ['ffn'])


def test_old_torch_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torch.distributed.fsdp', None)
    with pytest.raises(RuntimeError, match=r'needs torch 2\.6 or newer, got'):
        FullyShardedModel(Layers(), ['layers'])


def test_other_models_are_left_alone():
    model = Layers()
    with whole_parameters(model), whole_state(model, None):
        assert set(model.state_dict()) == {'layers.0.weight', 'layers.0.bias'}


@pytest.mark.parametrize(
    ('wrapper', 'message'),
    [
        ('FullyShardedModell', "no model wrapper 'FullyShardedModell'"),
        ('FullyShardedModel', 'not with both'),
    ],
)
def test_wrapper_that_cannot_be_used_is_one_clear_error(wrapper, message):
    cfg = dict(compile=True, activation_checkpointing=['layers'])
    runner = SimpleNamespace(distributed=True, cfg=cfg)
    with pytest.raises(ValueError, match=message):
        ReIDRunner.wrap_model(runner, dict(type=wrapper, groups=['layers']), Layers())
