import importlib
import json
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
    'stage2.activation_checkpointing',
    'test.forward',
    'data.loading',
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
    assert 0 < items['test.forward']['share_of_machine'] < 2
    assert 0 <= items['data.loading']['share_waiting_for_data'] < 1
    assert items['stage2.step']['memory_ratio'] < 1
    assert 'device cpu' in run.stdout


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

    assert measure._resident_peak(job) == pytest.approx(80, abs=8)
