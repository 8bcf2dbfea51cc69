"""The loop on numbers: which batches a resumed epoch sees."""

from types import SimpleNamespace

import pytest
import torch
from torch.utils.data import DataLoader

from csipreid.engine.loops import batches_from
from csipreid.registry import LOOPS


def loader(num_workers=0, batch_size=3):
    return DataLoader(list(range(10)), batch_size=batch_size, num_workers=num_workers)


@pytest.mark.parametrize('num_workers', [0, 1])
def test_first_batches_are_left_out_once(num_workers):
    data = loader(num_workers)
    with batches_from(data, 2):
        assert len(data) == 4
        assert [batch.tolist() for batch in data] == [[6, 7, 8], [9]]
    assert [batch.tolist()[0] for batch in data] == [0, 3, 6, 9]


def test_left_out_batches_are_not_loaded():
    loaded = []

    class Data(list):
        def __getitem__(self, index):
            loaded.append(index)
            return index

    data = DataLoader(Data(range(6)), batch_size=2)
    with batches_from(data, 2):
        list(data)
    assert loaded == [4, 5]


def test_finished_epoch_has_no_batch_left():
    data = loader()
    with batches_from(data, 4):
        assert list(data) == []


class Recorder:
    """A runner that notes what is called."""

    def __init__(self, validates=False, accumulative_counts=1):
        self.calls = []
        info = {}
        self.message_hub = SimpleNamespace(runtime_info=info, update_info=info.__setitem__)
        self.model = SimpleNamespace(
            train=lambda: None,
            train_step=lambda batch, optim_wrapper: self.calls.append(batch.tolist()),
        )
        self.visualizer = SimpleNamespace()
        self.val_loop = SimpleNamespace(run=lambda: self.calls.append('val'))
        if not validates:
            self.val_loop = None
        self.optim_wrapper = SimpleNamespace(
            _accumulative_counts=accumulative_counts,
            initialize_count_status=lambda model, *counts: self.calls.append(counts),
        )

    def call_hook(self, name, **kwargs):
        if name == 'after_train_epoch':
            self.calls.append('end')


def run(runner, epoch=0, done=0, max_epochs=2, **kwargs):
    loop = LOOPS.build(
        dict(
            type='ResumableTrainLoop', runner=runner, dataloader=loader(batch_size=4),
            max_epochs=max_epochs, **kwargs,
        )
    )  # fmt: skip
    loop._epoch, loop._iter = epoch, done
    loop.run()
    return runner.calls


FIRST, SECOND, THIRD = [0, 1, 2, 3], [4, 5, 6, 7], [8, 9]


def test_new_run_sees_every_batch():
    assert run(Recorder()) == 2 * [FIRST, SECOND, THIRD, 'end']


def test_resumed_run_goes_on_with_the_next_batch():
    assert run(Recorder(), epoch=1, done=4) == [SECOND, THIRD, 'end']


def test_run_interrupted_behind_the_last_batch_ends_its_epoch():
    assert run(Recorder(), epoch=1, done=6) == ['end']


def test_validation_that_was_cut_off_is_done():
    calls = run(Recorder(validates=True), epoch=1, done=3)
    assert calls == ['val', FIRST, SECOND, THIRD, 'end', 'val']


def test_validation_that_wrote_the_checkpoint_is_not_repeated():
    recorder = Recorder(validates=True)
    assert run(recorder, max_epochs=1) == [FIRST, SECOND, THIRD, 'end', 'val']
    recorder.calls.clear()
    assert run(recorder, epoch=1, done=3) == [FIRST, SECOND, THIRD, 'end', 'val']


def test_validation_that_was_not_due_is_not_done():
    calls = run(Recorder(validates=True), epoch=1, done=3, val_interval=2)
    assert calls == [FIRST, SECOND, THIRD, 'end', 'val']


def test_accumulation_ends_with_each_epoch():
    calls = run(Recorder(accumulative_counts=2), epoch=0, done=2)
    assert [call for call in calls if isinstance(call, tuple)] == [(2, 3), (0, 3)]


def test_accumulated_gradient_of_a_short_end_is_their_mean():
    from mmengine.optim import OptimWrapper

    weight = torch.nn.Parameter(torch.zeros(1))
    wrapper = OptimWrapper(torch.optim.SGD([weight], lr=1.0), accumulative_counts=2)
    runner = Recorder()
    runner.optim_wrapper = wrapper
    runner.model = torch.nn.Module()
    values = []

    def step(batch, optim_wrapper):
        optim_wrapper.update_params((weight * batch.float().mean()).sum())
        values.append(weight.item())

    runner.model.train_step = step
    run(runner, max_epochs=1)
    # Means of the batches 1.5, 5.5 and 8.5: one update of two, one of the rest.
    assert values == pytest.approx([0, -3.5, -12])
