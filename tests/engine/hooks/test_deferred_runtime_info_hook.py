import itertools
import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from torch import Tensor, nn

from csipreid.registry import HOOKS, RUNNERS

_runs = itertools.count()


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.tower = nn.Linear(2, 2)

    def forward(self, x, mode='tensor'):
        out = self.tower(x)
        return dict(loss_a=out.square().mean(), loss_b=out.abs().mean().double(), seen=x.sum())


class Data(torch.utils.data.Dataset):
    metainfo = dict(dataset_name='toy')  # noqa: RUF012

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return dict(x=torch.full((2,), float(index)))


def build(tmp_path, hook, interval=2, num_iters=None):
    name = f'deferred{next(_runs)}'
    loader = dict(
        batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'), dataset=dict(type=Data),
    )  # fmt: skip
    by_epoch = num_iters is None
    cfg = dict(
        runner_type='ReIDRunner', default_scope='csipreid', work_dir=str(tmp_path / name),
        experiment_name=name, log_level='WARNING', randomness=dict(seed=0),
        model=dict(type=Model), train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=2) if by_epoch
        else dict(by_epoch=False, max_iters=num_iters),
        log_processor=dict(
            type='LogProcessor', window_size=3, by_epoch=by_epoch,
            custom_cfg=[dict(
                data_src='loss', log_name='largest_loss', method_name='max', window_size=5,
            )],
        ),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
        default_hooks=dict(
            runtime_info=dict(type=hook), logger=dict(type='LoggerHook', interval=interval),
            checkpoint=dict(type='CheckpointHook', interval=100, by_epoch=True),
            plain=dict(type='PlainCheckpointHook'),
        ),
    )  # fmt: skip
    return RUNNERS.build(Config(cfg))


def run(*args, **kwargs):
    """Train, and return the lines of the log without what a clock says."""
    runner = build(*args, **kwargs)
    runner.train()
    (file,) = Path(runner.work_dir).glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    clocks = ('time', 'data_time', 'memory')
    return runner, [
        [(key, value) for key, value in line.items() if key not in clocks] for line in lines
    ]


# Of 5 batches: printed often, at the end of an epoch as well, only there, never before it.
@pytest.mark.parametrize('interval', [1, 2, 5, 50])
def test_logged_values_and_their_order_are_those_of_the_stock_hook(tmp_path, interval):
    _, stock = run(tmp_path, 'RuntimeInfoHook', interval)
    _, deferred = run(tmp_path, 'DeferredRuntimeInfoHook', interval)
    assert deferred == stock
    assert len(stock) > 0


def test_training_by_iterations_logs_the_same(tmp_path):
    _, stock = run(tmp_path, 'RuntimeInfoHook', 4, num_iters=11)
    _, deferred = run(tmp_path, 'DeferredRuntimeInfoHook', 4, num_iters=11)
    assert deferred == stock


def test_no_value_is_lost(tmp_path):
    histories = []
    for hook in ('RuntimeInfoHook', 'DeferredRuntimeInfoHook'):
        runner, _ = run(tmp_path, hook, interval=3, num_iters=11)
        hub = runner.message_hub
        names = ('loss', 'loss_a', 'loss_b', 'seen')
        histories.append([hub.get_scalar(f'train/{name}').data[0].tolist() for name in names])
    assert histories[0] == histories[1]
    assert len(histories[0][0]) == 11


def test_losses_are_read_once_for_each_line_of_the_log(tmp_path, monkeypatch):
    runners = [build(tmp_path, hook) for hook in ('DeferredRuntimeInfoHook', 'RuntimeInfoHook')]
    reads = []

    def watch(name):
        original = getattr(Tensor, name)

        def read(tensor):
            if tensor.is_floating_point():  # not the seeds and indices of the data loader
                reads.append(name)
            return original(tensor)

        monkeypatch.setattr(Tensor, name, read)

    for name in ('item', 'tolist', '__bool__', '__float__'):
        watch(name)
    runners[0].train()
    assert reads == ['tolist'] * (2 * 2 * 3)  # two types of loss, two epochs, three lines each
    reads.clear()
    runners[1].train()
    assert reads == ['item'] * (2 * 5 * 4)  # two epochs, five batches, four values


def test_what_is_kept_does_not_hold_the_graph():
    hook = HOOKS.build(dict(type='DeferredRuntimeInfoHook'))
    assert hook.priority == 'VERY_HIGH'
    loss = (torch.ones(1, requires_grad=True) * 2).sum()

    class Stub:
        hooks = ()
        epoch = iter = 0
        max_epochs = max_iters = 1
        train_dataloader = type('Loader', (), dict(dataset=None, __len__=lambda self: 9))()
        message_hub = None

    from mmengine.logging import MessageHub

    Stub.message_hub = MessageHub.get_instance(f'deferred{next(_runs)}')
    hook.before_train(Stub)
    hook.after_train_iter(Stub, 0, outputs=dict(loss=loss))
    ((key, kept),) = hook._pending
    assert key == 'train/loss'
    assert not kept.requires_grad
