import functools
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from mmengine.hooks import Hook
from torch.utils.data import DataLoader, Dataset

from csipreid.engine.hooks.preemption_hook import EXIT_STATUS, Preempted, _start_worker


class Tell(Hook):
    """Send this process a signal before some iteration, or at another call."""

    def __init__(self, at):
        self.at = at

    def _tell(self, name, runner):
        if self.at == name or (name == 'iter' and self.at == runner.iter):
            self.at = None
            os.kill(os.getpid(), signal.SIGTERM)

    def before_train(self, runner):
        self._tell('before_train', runner)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self._tell('iter', runner)

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        self._tell('val', runner)


def make(build, folder, toy_data, at=None, accumulative_counts=1, interval=1, **changes):
    loader = dict(
        batch_size=1, sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'), dataset=dict(type=toy_data),
    )  # fmt: skip
    runner = build(
        folder, train_dataloader=loader, train_cfg=dict(type='ResumableTrainLoop', max_epochs=2),
        default_hooks=dict(
            checkpoint=dict(type='SafeCheckpointHook', interval=interval),
            randomness=dict(type='RandomnessHook'),
            plain=dict(type='PlainCheckpointHook'),
            preemption=dict(type='PreemptionHook'),
        ),
        optim_wrapper=dict(
            optimizer=dict(type='Adam', lr=0.1), accumulative_counts=accumulative_counts
        ), **changes,
    )  # fmt: skip
    runner.register_hook(Tell(at))
    return runner


@pytest.fixture(autouse=True)
def usual_handler():
    """What a preempted run leaves behind, until its process ends, is no other test's."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def weights(path):
    return torch.load(path, weights_only=True)['state_dict']


@pytest.fixture
def make_run(build, toy_data):
    return lambda folder, **kwargs: make(build, folder, toy_data, **kwargs)


@pytest.mark.parametrize('accumulative_counts', [1, 2])
@pytest.mark.parametrize('at', [0, 4, 5, 7])
def test_preempted_and_resumed_run_ends_with_the_same_weights(
    make_run, tmp_path, at, accumulative_counts
):
    make_run(tmp_path / 'whole', accumulative_counts=accumulative_counts).train()
    with pytest.raises(Preempted) as error:
        make_run(tmp_path / 'cut', at=at, accumulative_counts=accumulative_counts).train()
    assert error.value.code == EXIT_STATUS == 75
    # At the end of the iteration, or of the update that it is a part of.
    expected = at + 1 if accumulative_counts == 1 else at - at % 2 + 2
    saved = [path.name for path in (tmp_path / 'cut').glob('preempted_*')]
    assert saved == [f'preempted_iter_{expected}.pth']
    run = make_run(tmp_path / 'cut', resume=True, accumulative_counts=accumulative_counts)
    run.train()
    a, b = weights(tmp_path / 'whole' / 'epoch_2.pth'), weights(tmp_path / 'cut' / 'epoch_2.pth')
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert list((tmp_path / 'cut').glob('preempted_*')) == []


def test_signal_before_the_first_iteration_ends_at_once(make_run, tmp_path):
    with pytest.raises(Preempted):
        make_run(tmp_path, at='before_train').train()
    assert list(tmp_path.glob('*.pth')) == []


@pytest.fixture
def validation(toy_data):
    loader = dict(
        batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'), dataset=dict(type=toy_data),
    )  # fmt: skip
    return dict(val_dataloader=loader, val_cfg=dict(), val_evaluator=[])


def test_signal_within_a_validation_leaves_it_to_the_next_run(make_run, tmp_path, validation):
    with pytest.raises(Preempted):
        make_run(tmp_path, at='val', **validation).train()
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_1.pth']


def test_epoch_that_is_not_saved_is_not_lost_in_its_validation(make_run, tmp_path, validation):
    with pytest.raises(Preempted):
        make_run(tmp_path, at='val', interval=2, **validation).train()
    assert [path.name for path in tmp_path.glob('*.pth')] == ['preempted_iter_5.pth']


def test_running_statistics_are_averaged_over_the_processes(make_run, tmp_path, monkeypatch):
    def average_with_zeros(buffers, op):
        assert op == 'mean'
        for buffer in buffers:
            buffer.mul_(0.5)

    monkeypatch.setattr(
        'csipreid.engine.hooks.preemption_hook.all_reduce_params', average_with_zeros
    )
    run = make_run(tmp_path, at=0)
    run.bare_model.norm = torch.nn.BatchNorm1d(2)
    run.bare_model.norm.running_mean.fill_(6)
    run.bare_model.norm.weight.data.fill_(8)
    run.bare_model.other = torch.nn.BatchNorm1d(2, track_running_stats=False)
    with pytest.raises(Preempted):
        run.train()
    saved = weights(tmp_path / 'preempted_iter_1.pth')
    assert saved['norm.running_mean'].tolist() == [3, 3]
    assert saved['norm.running_var'].tolist() == [0.5, 0.5]
    assert saved['norm.weight'].tolist() == [8, 8]
    assert saved['norm.num_batches_tracked'] == 0


def test_signals_mean_what_they_did_before_and_after_a_run(make_run, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    make_run(tmp_path).train()
    assert signal.getsignal(signal.SIGTERM) is before


class Slow(Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        time.sleep(0.3)
        return index


@pytest.mark.skipif(not hasattr(signal, 'sigwaitinfo'), reason='the system tells no senders')
def test_data_workers_outlive_a_signal_to_all_processes():
    start = functools.partial(_start_worker, [signal.SIGTERM], None)
    loader = DataLoader(Slow(), batch_size=1, num_workers=1, worker_init_fn=start)
    batches = iter(loader)
    next(batches)
    worker = batches._workers[0]
    subprocess.run(
        [sys.executable, '-c', f'import os; os.kill({worker.pid}, {int(signal.SIGTERM)})'],
        check=True,
    )
    assert [batch.item() for batch in batches] == [1, 2]


@pytest.mark.skipif(not hasattr(signal, 'sigwaitinfo'), reason='the system tells no senders')
def test_data_workers_obey_their_parent():
    start = functools.partial(_start_worker, [signal.SIGTERM], None)
    loader = DataLoader(
        Slow(), batch_size=1, num_workers=1, worker_init_fn=start, persistent_workers=True
    )
    worker = iter(loader)._workers[0]
    time.sleep(1)
    worker.terminate()
    worker.join(timeout=10)
    assert worker.exitcode == 0
