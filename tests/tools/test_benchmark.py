import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parents[2] / 'tools' / 'analysis_tools'
ITEMS = {
    'stage1.epoch',
    'stage1.epoch_published',
    'stage1.cache_build',
    'stage1.120_epochs',
    'stage2.step',
    'stage2.named_measures',
    'stage2.fused_attention',
    'stage2.shared_self_attention',
    'stage2.label_smoothing',
    'stage2.lean_feed_forward',
    'stage2.fused_optimiser',
    'stage2.activation_checkpointing',
    'test.forward',
    'data.loading',
    'data.normalised',
    'eval.measures',
    'eval.re-ranking',
}


@pytest.fixture
def load(monkeypatch):
    """Import a part of the benchmark as the script does."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


@pytest.mark.slow
def test_everything_is_measured_beside_what_it_replaces(tmp_path):
    out = tmp_path / 'out.json'
    command = [sys.executable, str(FOLDER / 'benchmark.py'), '--size', 'tiny', '--device', 'cpu']
    run = subprocess.run([*command, '--json', str(out)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    items = json.loads(out.read_text())
    assert set(items) == ITEMS
    for name, item in items.items():
        assert item['ours'] > 0, name
        assert item['without'] > 0, name
        assert item['ratio'] > 0, name
        assert 'peak_mb' in item, name
    for name in ('test.forward', 'stage2.step'):
        assert 0 < items[name]['share_of_machine'] < 2
        assert items[name]['machine_gflops'] > 0
    assert 0 <= items['data.loading']['share_waiting_for_data'] < 1
    step = items['stage2.step']
    assert step['memory_ratio'] < 1
    assert step['peak_total_mb'] > step['peak_mb'] > 0
    assert step['peak_total_mb_without'] > step['peak_mb_without'] > 0
    assert all(items[name]['peak_mb'] > 0 for name in ('test.forward', 'stage1.epoch'))
    assert 'device cpu' in run.stdout


@pytest.mark.slow
def test_mixed_precision_is_compared_with_the_published_way_under_it(load, monkeypatch):
    stages, measure = load('benchmark_stages'), load('benchmark_measure')
    peaks = iter([measure.Peak(30.0, 90.0), measure.Peak(60.0, 120.0)])
    jobs = []
    monkeypatch.setattr(
        stages, 'peak_memory', lambda job, *args, device: jobs.append(args) or next(peaks)
    )
    items = stages.measure_amp('tiny', 'cpu', 'bfloat16')
    item = items['stage2.amp']
    assert item['dtype'] == 'bfloat16'
    assert item['memory_ratio'] == 0.5
    assert item['ratio'] > 0
    assert item['share_of_machine'] > 0
    assert items['stage2.amp_float32']['ours'] == item['ours']
    published = load('benchmark_published')
    assert [args[2:] for args in jobs] == [
        ((), False, 'bfloat16'), (tuple(published.SWITCHES), False, 'bfloat16')
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize('off', [(), ('fused_attention', 'lean_feed_forward')])
def test_a_step_of_mixed_precision_computes_in_it(load, off):
    stages = load('benchmark_stages')
    job = stages.stage2_job('tiny', 'cpu', off, False, 'bfloat16')
    types = set()
    layer = job.args[0].image_encoder.layers[0]
    layer.attn.proj.register_forward_hook(lambda module, args, out: types.add(out.dtype))
    losses = job()
    assert types == {torch.bfloat16}
    assert all(torch.isfinite(torch.as_tensor(value)).all() for value in losses.values())


@pytest.mark.slow
def test_published_way_gives_the_same_losses(load):
    stages, published = load('benchmark_stages'), load('benchmark_published')
    ours = stages.stage2_losses('tiny', 'cpu')
    for off in [tuple(published.SWITCHES), *((name,) for name in published.SWITCHES)]:
        assert stages.stage2_losses('tiny', 'cpu', off) == pytest.approx(ours, rel=1e-5)


@pytest.mark.slow
def test_published_way_gives_the_same_gradients(load):
    models, published = load('benchmark_models'), load('benchmark_published')
    model = models.build_model(2, 'tiny', 'cpu')
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    model.skeleton_dropout = 0.0
    data = model.data_preprocessor(models.make_batch('tiny', 4), True)
    grads = []
    for off in ((), tuple(published.SWITCHES)):
        model.zero_grad()
        with published.switched_off(model, off):
            sum(model(**data, mode='loss').values()).backward()
        grads.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert grads[0].keys() == grads[1].keys()
    for name, grad in grads[0].items():
        error = (grads[1][name] - grad).norm()
        assert error <= 1e-3 * grad.norm() + 1e-6, name


def test_attention_is_written_out_while_it_is_switched_off(load):
    models, published = load('benchmark_models'), load('benchmark_published')
    model = models.build_model(2, 'tiny', 'cpu')
    attention = model.image_encoder.layers[0].attn
    fused = attention.scaled_dot_product_attention
    with published.switched_off(model):
        assert isinstance(attention.scaled_dot_product_attention, published._Explicit)
        assert 'forward' in vars(model.prototype_updater)
    assert attention.scaled_dot_product_attention is fused
    assert not any('forward' in vars(module) for module in model.modules())


def test_operations_of_a_small_product_are_counted(load):
    count = load('benchmark_measure').count_flops
    a, b = torch.ones(3, 5), torch.ones(5, 7)
    assert count(lambda: a @ b) == 2 * 3 * 5 * 7
    assert count(lambda: torch.ones(3, 7).addmm_(a, b)) == 2 * 3 * 5 * 7


def test_reference_product_is_counted_as_torch_counts_it(load):
    measure, models = load('benchmark_measure'), load('benchmark_models')
    stages = load('benchmark_stages')
    model = models.build_model(2, 'tiny', 'cpu')
    multiply, flops = stages.matrix_products(model, 2, 'cpu')
    assert measure.count_flops(multiply) == flops


def test_our_step_takes_no_more_operations_than_the_published_way(load):
    measure, models = load('benchmark_measure'), load('benchmark_models')
    published = load('benchmark_published')
    encoder = models.build_model(2, 'tiny', 'cpu').image_encoder
    frames = torch.zeros(2, 3, 64, 32)

    def run():
        encoder(frames).projected.sum().backward()

    ours = measure.count_flops(run)
    with published.switched_off(encoder, ('fused_attention', 'lean_feed_forward')):
        theirs = measure.count_flops(run)
    # The fused attention computes its map a second time for the gradient.
    assert theirs <= ours <= 1.15 * theirs


def test_ratio_is_the_median_of_rounds(load):
    item = load('benchmark_measure').compare([1.0, 2.0, 30.0], [2.0, 8.0, 40.0])
    assert (item['ours'], item['without'], item['ratio']) == (2.0, 8.0, 0.5)


@pytest.mark.skipif(sys.platform != 'linux', reason='peaks of the resident size are Linux')
def test_resident_peak_is_that_of_the_job(load):
    measure = load('benchmark_measure')

    def job():
        torch.ones(20_000_000)  # 80 MB

    peak = measure._resident_peak(job)
    assert peak.extra == pytest.approx(80, abs=8)
    assert peak.total > peak.extra + 50  # torch itself is larger


def test_a_peak_that_the_system_does_not_tell_is_null(load, monkeypatch, tmp_path):
    measure, tool = load('benchmark_measure'), load('benchmark')
    monkeypatch.setattr(measure, '_CLEAR', tmp_path / 'proc' / 'clear_refs')
    unknown = measure._resident_peak(lambda: None)
    assert unknown == (None, None)
    for ours, without in [(unknown, unknown), (measure.Peak(1.0, 2.0), unknown)]:
        item = measure.compare([1.0], [2.0], **measure.compare_peaks(ours, without))
        assert item['memory_ratio'] is None
        tool.show('stage2.step', item)
        tool.write_json(tmp_path / 'out.json', item)


def test_the_device_that_was_asked_for_is_measured(load, monkeypatch):
    measure = load('benchmark_measure')
    asked = []

    class Cuda:
        def __getattr__(self, name):
            def call(device):
                asked.append((name, device))
                return 3_000_000 if name == 'max_memory_allocated' else 1_000_000

            return call

    monkeypatch.setattr(torch, 'get_device_module', lambda kind: Cuda())
    measure.in_turn(dict(job=lambda: None), 1, 'cuda:1')
    assert measure._measure_peak('cuda:1', lambda: lambda: None, ()) == (2.0, 3.0)
    assert {device for _, device in asked} == {'cuda:1'}
    assert {'synchronize', 'reset_peak_memory_stats', 'memory_allocated'} <= dict(asked).keys()


def test_a_process_that_ends_without_a_result_is_named(load):
    measure = load('benchmark_measure')
    with pytest.raises(RuntimeError, match=r'_exit\(3\) ended with exit status 3'):
        measure.in_fresh_process(os._exit, 3)


def test_both_pipelines_end_with_normalised_batches(load, tmp_path):
    data = load('benchmark_data')
    data.make_data_set(tmp_path, 'tiny', 4)
    loaders = data.make_loaders(tmp_path, 'tiny', 0, 4)
    ours = next(data.normalised(loaders['ours'], 'tiny'))['inputs']['frames']
    plain = next(iter(loaders['plain']))[0]
    assert ours.dtype == plain.dtype == torch.float32
    assert ours.shape == plain.shape
    assert max(ours.abs().max(), plain.abs().max()) < 4


def test_batches_go_on_behind_the_end_of_a_loader(load):
    batches = load('benchmark_data').cycle_of([1, 2])
    assert [next(batches) for _ in range(5)] == [1, 2, 1, 2, 1]
