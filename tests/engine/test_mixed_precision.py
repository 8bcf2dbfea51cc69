import io
import itertools
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from torch import nn

from csipreid.engine import mixed_precision
from csipreid.engine.mixed_precision import (
    check_precision,
    choose_dtype,
    has_bfloat16_instructions,
    precision_of,
)
from csipreid.registry import OPTIM_WRAPPERS, RUNNERS

_runs = itertools.count()


@pytest.fixture
def cpu(monkeypatch):
    """Pretend that the processor has instructions for bfloat16 or not; collect the log."""

    def pretend(able):
        lines = SimpleNamespace(warnings=[], infos=[])
        logger = SimpleNamespace(warning=lines.warnings.append, info=lines.infos.append)
        hub = SimpleNamespace(get_current_instance=lambda: logger)
        monkeypatch.setattr(mixed_precision, 'has_bfloat16_instructions', lambda: able)
        monkeypatch.setattr(mixed_precision, 'MMLogger', hub)
        return lines

    return pretend


def test_a_cpu_with_instructions_for_bfloat16_takes_it_and_says_so(cpu):
    lines = cpu(True)
    assert choose_dtype('auto', 'cpu') is torch.bfloat16
    assert lines.warnings == []
    assert 'products are computed in bfloat16' in lines.infos[0]


def test_a_cpu_without_them_takes_float32_and_says_so(cpu):
    lines = cpu(False)
    assert choose_dtype('auto', 'cpu') is torch.float32
    (warning,) = lines.warnings
    assert 'has no instructions for bfloat16' in warning
    assert 'computed in float32' in warning


def test_bfloat16_that_was_asked_for_is_taken_with_a_warning(cpu):
    lines = cpu(False)
    assert choose_dtype('bfloat16', 'cpu') is torch.bfloat16
    (warning,) = lines.warnings
    assert 'computed in bfloat16, which is slow' in warning


@pytest.mark.parametrize(
    ('capabilities', 'expected'),
    [
        (dict(architecture='x86_64', avx512_f=True, avx512_bf16=False, amx_bf16=False), False),
        (dict(architecture='x86_64', avx512_f=True, avx512_bf16=True, amx_bf16=False), True),
        (dict(architecture='x86_64', avx512_bf16=False, amx_bf16=True), True),
        (dict(architecture='aarch64', neon=True, bf16=True), True),
        (dict(architecture='aarch64', neon=True, bf16=False), False),
        ({}, False),
    ],
)
def test_the_processor_decides(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: capabilities, raising=False)
    assert has_bfloat16_instructions() is expected


def test_an_old_torch_that_does_not_tell_counts_as_without(monkeypatch):
    monkeypatch.delattr(torch.cpu, 'get_capabilities', raising=False)
    assert has_bfloat16_instructions() is False


def test_float16_on_a_cpu_is_refused():
    with pytest.raises(ValueError, match='float16 needs a GPU'):
        choose_dtype('float16', 'cpu')


def test_another_precision_is_named():
    with pytest.raises(ValueError, match=r"'bfloat16'\], got 'int8'"):
        check_precision('int8', 'cpu')


def test_a_gpu_takes_float16():
    assert choose_dtype('auto', 'cuda') is torch.float16


def test_a_gpu_without_bfloat16_refuses_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda emulated: emulated)
    with pytest.raises(ValueError, match='does not compute in bfloat16'):
        check_precision('bfloat16', 'cuda')


def wrapper(model, **kwargs):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    return OPTIM_WRAPPERS.build(
        dict(type='MixedPrecisionOptimWrapper', optimizer=optimizer, **kwargs)
    )


def test_losses_are_computed_in_bfloat16_and_weights_stay_float32(cpu):
    cpu(True)
    model = nn.Linear(3, 2)
    optim = wrapper(model, precision='auto')
    with optim.optim_context(model):
        out = model(torch.randn(4, 3))
    assert out.dtype is torch.bfloat16
    before = model.weight.detach().clone()
    optim.update_params(out.float().square().mean())
    assert model.weight.dtype is torch.float32
    assert not torch.equal(model.weight, before)


def test_on_a_cpu_without_the_instructions_everything_is_float32(cpu):
    cpu(False)
    model = nn.Linear(3, 2)
    optim = wrapper(model)
    with optim.optim_context(model):
        assert model(torch.randn(4, 3)).dtype is torch.float32
    assert optim.state_dict()['loss_scaler'] == {}


def test_the_precision_of_a_wrapper_is_named(cpu):
    cpu(True)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    plain = OPTIM_WRAPPERS.build(dict(type='OptimWrapper', optimizer=optimizer))
    assert precision_of(plain) == 'float32'
    assert precision_of(wrapper(model)) == 'bfloat16'


@pytest.fixture
def half(monkeypatch):
    """Let wrappers compute in float16, which a CPU can for tests."""
    monkeypatch.setattr(mixed_precision, 'choose_dtype', lambda *_: torch.float16)


def step(model, optim, seed, loss_scale=1.0):
    inputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed))
    with optim.optim_context(model):
        loss = model(inputs).float().square().mean() * loss_scale
    optim.update_params(loss)


def test_the_loss_scale_is_saved_plainly_and_resumes_exactly(half):
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optim = wrapper(model)
    step(model, optim, 0)
    step(model, optim, 1, loss_scale=float('inf'))  # halves the scale
    step(model, optim, 2)
    file = io.BytesIO()
    torch.save((model.state_dict(), optim.state_dict()), file)
    step(model, optim, 3)

    file.seek(0)
    weights, state = torch.load(file, weights_only=True)
    assert state['loss_scaler']['scale'] == 2.0**15
    assert state['loss_scaler']['_growth_tracker'] == 1
    resumed = nn.Linear(3, 2)
    resumed.load_state_dict(weights)
    other = wrapper(resumed)
    other.load_state_dict(state)
    step(resumed, other, 3)
    assert torch.equal(resumed.weight, model.weight)
    assert other.state_dict()['loss_scaler'] == optim.state_dict()['loss_scaler']


def test_a_step_with_an_infinite_gradient_is_left_out(half):
    model = nn.Linear(3, 2)
    optim = wrapper(model)
    before = model.weight.detach().clone()
    step(model, optim, 0, loss_scale=float('inf'))
    assert torch.equal(model.weight, before)


def test_a_run_without_loss_scale_can_go_on_with_one(half):
    model = nn.Linear(3, 2)
    stock = OPTIM_WRAPPERS.build(
        dict(type='OptimWrapper', optimizer=torch.optim.Adam(model.parameters(), lr=0.1))
    )
    step(model, stock, 0)
    for state in (stock.state_dict(), stock.state_dict() | dict(loss_scaler={})):
        optim = wrapper(nn.Linear(3, 2))
        optim.load_state_dict(state)
        assert optim.state_dict()['loss_scaler']['scale'] == 2.0**16
        assert len(optim.state_dict()['state']) == 2


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.tower = nn.Linear(2, 2)

    def forward(self, x, mode='tensor'):
        out = self.tower(x)
        if mode == 'loss':
            return dict(loss=out.float().square().mean())
        return [dict(dtype=out.dtype)]


class Data(torch.utils.data.Dataset):
    metainfo = dict(dataset_name='toy')  # noqa: RUF012

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return dict(x=torch.full((2,), float(index) / 4))


class DType(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        return dict(dtypes=sorted({str(item['dtype']) for item in results}))


def run(tmp_path, **changes):
    loader = dict(
        batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'), dataset=dict(type=Data),
    )  # fmt: skip
    cfg = dict(
        runner_type='ReIDRunner', default_scope='csipreid', work_dir=str(tmp_path),
        experiment_name=f'precision{next(_runs)}', log_level='WARNING', randomness=dict(seed=0),
        model=dict(type=Model), test_dataloader=loader, test_cfg=dict(type='TestLoop'),
        test_evaluator=dict(type=DType), val_dataloader=loader, val_cfg=dict(),
        val_evaluator=dict(type=DType),
        train_dataloader=loader, train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(
            type='MixedPrecisionOptimWrapper', optimizer=dict(type='Adam', lr=0.1)
        ),
        default_hooks=dict(plain=dict(type='PlainCheckpointHook')),
    )  # fmt: skip
    return RUNNERS.build(Config(cfg | changes))


def test_a_test_runs_in_the_precision_asked_for_and_leaves_the_default(tmp_path, cpu):
    cpu(True)
    default = torch.get_autocast_dtype('cpu')
    loop = dict(type='MixedPrecisionTestLoop', precision='bfloat16')
    assert run(tmp_path, test_cfg=loop).test() == dict(dtypes=['torch.bfloat16'])
    assert torch.get_autocast_dtype('cpu') is default


def test_a_test_on_a_cpu_without_the_instructions_runs_in_float32(tmp_path, cpu):
    lines = cpu(False)
    loop = dict(type='MixedPrecisionTestLoop', precision='auto')
    assert run(tmp_path, test_cfg=loop).test() == dict(dtypes=['torch.float32'])
    assert len(lines.warnings) == 1


def test_validation_in_training_is_float32(tmp_path, cpu):
    cpu(True)
    runner = run(tmp_path)
    runner.train()
    assert runner.optim_wrapper.cast_dtype is torch.bfloat16
    assert runner.val() == dict(dtypes=['torch.float32'])


def test_a_resumed_run_with_loss_scale_equals_the_uninterrupted_one(tmp_path, half):
    run(tmp_path / 'whole').train()
    first = tmp_path / 'whole' / 'epoch_1.pth'
    run(tmp_path / 'resumed', resume=True, load_from=str(first)).train()
    ends = [
        torch.load(tmp_path / name / 'epoch_2.pth', weights_only=True)
        for name in ('whole', 'resumed')
    ]
    assert ends[0]['optimizer']['loss_scaler'] == ends[1]['optimizer']['loss_scaler']
    for key, value in ends[0]['state_dict'].items():
        assert torch.equal(value, ends[1]['state_dict'][key])
