import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from csipreid.checkpoint import write_checkpoint
from csipreid.evaluation.feature_file import read_features
from csipreid.registry import MODELS
from csipreid.synthetic import write_walkers

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs/csip/stage2_walkers.py')
STAGE1 = str(ROOT / 'configs/csip/stage1_walkers.py')
spec = importlib.util.spec_from_file_location('tools_test', ROOT / 'tools/test.py')
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)


def merged(*arguments, config=CONFIG):
    args = tool.parse_args([config, 'weights.pth', *arguments])
    tool.check_args(args)
    cfg = tool.load_config(args)
    tool.merge_args(cfg, args)
    return cfg


def evaluators(cfg):
    return {evaluator.type: evaluator for evaluator in cfg.test_evaluator}


def test_protocol_and_re_ranking_reach_the_metric():
    metric = evaluators(merged('--protocol', 'csip', '--rerank', '20,6,0.3'))['ReIDMetric']
    assert metric.protocol == 'csip'
    assert metric.rerank == [20, 6, 0.3]


def test_protocol_of_the_config_stays_without_a_flag():
    metric = evaluators(merged())['ReIDMetric']
    assert metric.protocol == 'mars_official'
    assert metric.test_mode == 'first (4 frames a clip)'


def test_test_mode_reaches_pipeline_model_and_metric():
    cfg = merged('--test-mode', 'random:3,flip')
    step = cfg.test_dataloader.dataset.pipeline[0]
    assert (step.mode, step.num_clips) == ('restricted_random', 3)
    assert cfg.model.flip_test
    assert evaluators(cfg)['ReIDMetric'].test_mode == 'random:3,flip (4 frames a clip)'


def test_tta_is_flip():
    cfg = merged('--tta')
    assert cfg.model.flip_test
    assert evaluators(cfg)['ReIDMetric'].test_mode == 'first,flip (4 frames a clip)'


def test_a_dump_says_where_it_comes_from():
    meta = evaluators(merged('--dump', 'f.npz', '--test-mode', 'dense'))['DumpFeatures'].meta
    assert meta == dict(
        config=CONFIG, checkpoint='weights.pth', test_mode='dense (4 frames a clip)'
    )


def test_out_and_dump_may_both_write_features():
    cfg = merged('--dump', 'f.npz', '--out', 'g.npz', '--out-item', 'pred')
    files = [e.out_file for e in cfg.test_evaluator if e.type == 'DumpFeatures']
    assert files == ['f.npz', 'g.npz']


def test_batch_of_a_dense_test_is_small_unless_it_is_given():
    assert merged('--test-mode', 'dense').test_dataloader.batch_size == 4
    given = merged('--test-mode', 'dense', '--cfg-options', 'test_dataloader.batch_size=9')
    assert given.test_dataloader.batch_size == 9


def test_checkpoint_of_the_config_is_tested_if_no_other_is_named():
    args = tool.parse_args([CONFIG, '--cfg-options', 'load_from=mine.pth'])
    cfg = tool.load_config(args)
    tool.merge_args(cfg, args)
    assert cfg.load_from == 'mine.pth'


def test_testing_needs_no_training_data():
    cfg = merged()
    assert cfg.train_dataloader is cfg.val_dataloader is None


def test_memory_of_batches_is_not_pinned_on_request():
    assert merged('--no-pin-memory').test_dataloader.pin_memory is False


def test_mixed_precision_takes_the_place_of_the_loop():
    old = ['--cfg-options', 'test_cfg.type=TestLoop', 'test_cfg.fp16=True']
    loop = merged('--amp', 'bfloat16', *old).test_cfg
    assert loop == dict(type='MixedPrecisionTestLoop', precision='bfloat16')


def test_mixed_precision_replaces_no_other_loop():
    with pytest.raises(ValueError, match='--amp replaces a TestLoop; the config has a ValLoop'):
        merged('--amp', 'bfloat16', '--cfg-options', 'test_cfg.type=ValLoop')


@pytest.mark.parametrize('error', [OSError('gone'), ValueError('gone')])
def test_failure_is_told_before_the_other_processes_are_left(error, monkeypatch, capsys):
    def test():
        raise error

    told = []
    monkeypatch.setattr(tool.distributed, 'is_initialized', lambda: True)
    monkeypatch.setattr(
        tool.distributed, 'destroy_process_group', lambda: told.append(capsys.readouterr().err)
    )
    with pytest.raises(SystemExit) as end:
        tool.test(SimpleNamespace(test=test), None, None, None)
    assert end.value.code == 1
    assert told == ['error: gone\n']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--test-mode', 'all'), "the test mode must be first.*got 'all'"),
        (('--interval', '0'), '--interval must be at least 1, got 0'),
        (('--wait-time', '-1'), '--wait-time must not be negative, got -1'),
        (('--dump', 'f.pkl'), r'features are written to a \.npz file, got f\.pkl'),
        (('--out', 'f.json', '--out-item', 'pred'), r'a \.npz file, got f\.json'),
        (('--out', str(ROOT)), '--out .* is a folder; name a file'),
        (('--show-dir', __file__), '--show-dir .* is a file; name a folder'),
    ],
)
def test_bad_values_are_named_before_anything_runs(arguments, message):
    with pytest.raises(ValueError, match=message):
        merged(*arguments)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--protocol', 'best'), "invalid choice: 'best'"),
        (('--rerank', '20,6'), "must be K1,K2,LAMBDA, got '20,6'"),
        (('--rerank', '20,6,2'), r'lambda in \[0, 1\]'),
    ],
)
def test_the_parser_refuses_what_it_can(arguments, message, capsys):
    with pytest.raises(SystemExit):
        merged(*arguments)
    assert re.search(message, capsys.readouterr().err)


def test_a_window_needs_a_screen(monkeypatch):
    monkeypatch.setattr(sys, 'platform', 'linux')
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match='--show needs a screen'):
        merged('--show')


@pytest.mark.parametrize('option', ['--protocol=csip', '--rerank=20,6,0.3', '--show-dir=x'])
def test_options_of_retrieval_need_its_metric(option):
    name = option.split('=')[0]
    with pytest.raises(ValueError, match=f'{name} needs a ReIDMetric'):
        merged(option, config=STAGE1)


@pytest.fixture(scope='module')
def walkers(tmp_path_factory):
    """A small set of walkers and a model with random weights."""
    folder = tmp_path_factory.mktemp('walkers')
    write_walkers(
        folder, num_train_ids=4, num_test_ids=4, num_cams=2, tracklets=(2, 2), frames=(8, 10)
    )
    cfg = Config.fromfile(CONFIG)
    sizes = dict(num_ids=4, num_cams=2)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('csipreid'):
        model = MODELS.build(cfg.model, default_args=sizes)
    content = dict(state_dict=model.state_dict(), meta=dict(dataset_meta=sizes))
    write_checkpoint(content, folder / 'random.pth')
    return folder


def call(command, walkers, out, *arguments):
    """Run a command of testing; return the finished process."""
    shared = ['--data-root', str(walkers), '--work-dir', str(out / 'work'), *arguments]
    paths = [str(Path(sys.executable).parent), os.environ['PATH']]
    env = dict(
        os.environ,
        PYTHONPATH=str(ROOT),
        OMP_NUM_THREADS='1',
        PYTHON=sys.executable,
        PATH=os.pathsep.join(paths),
    )
    return subprocess.run(
        [*command, *shared], capture_output=True, text=True, env=env, check=False, cwd=ROOT
    )


def run(walkers, out, *arguments):
    """Test on the walkers; return measures and features."""
    script = [sys.executable, 'tools/test.py', CONFIG, str(walkers / 'random.pth')]
    files = ['--out', str(out / 'm.json'), '--dump', str(out / 'f.npz')]
    done = call(script, walkers, out, *files, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads((out / 'm.json').read_text()), read_features(out / 'f.npz')


def same(features, others):
    assert np.array_equal(features.tracklets.pid, others.tracklets.pid)
    assert features.frame_paths == others.frame_paths
    np.testing.assert_allclose(
        features.tracklets.embedding, others.tracklets.embedding, atol=1e-6, rtol=1e-6
    )


@pytest.fixture(scope='module')
def dense(walkers, tmp_path_factory):
    """The whole tracklets in one chunk, without workers."""
    options = ['test_dataloader.num_workers=0']
    out = tmp_path_factory.mktemp('dense')
    return run(walkers, out, '--test-mode', 'dense', '--cfg-options', *options)


@pytest.mark.slow
@pytest.mark.parametrize(
    'options',
    [
        ['model.max_clips=1'],
        ['model.max_clips=2', 'test_dataloader.batch_size=3'],
        ['test_dataloader.num_workers=2', 'test_dataloader.batch_size=1'],
    ],
)
def test_dense_features_do_not_depend_on_how_they_are_computed(walkers, dense, tmp_path, options):
    measures, features = run(walkers, tmp_path, '--test-mode', 'dense', '--cfg-options', *options)
    same(features, dense[1])
    assert measures == pytest.approx(dense[0], abs=1e-6)


@pytest.mark.slow
def test_random_clips_are_the_same_in_every_run(walkers, tmp_path):
    _, features = run(walkers, tmp_path, '--test-mode', 'random:2')
    options = ['test_dataloader.num_workers=0', 'test_dataloader.batch_size=5']
    _, again = run(walkers, tmp_path, '--test-mode', 'random:2', '--cfg-options', *options)
    same(features, again)


@pytest.mark.slow
def test_two_processes_take_each_tracklet_once(walkers, tmp_path):
    num_tracklets = 17  # no multiple of 2: one is computed twice, and must count once
    options = ['--cfg-options', f'test_dataloader.dataset.indices={num_tracklets}']
    measures, features = run(walkers, tmp_path, '--test-mode', 'dense', *options)
    assert len(features.frame_paths) == num_tracklets
    checkpoint = str(walkers / 'random.pth')
    files = ['--out', str(tmp_path / 'two.json'), '--dump', str(tmp_path / 'two.npz')]
    done = call(
        ['bash', 'tools/dist_test.sh', CONFIG, checkpoint, '2'],
        walkers,
        tmp_path,
        *files,
        '--test-mode',
        'dense',
        *options,
    )
    assert done.returncode == 0, done.stderr
    same(read_features(tmp_path / 'two.npz'), features)
    assert json.loads((tmp_path / 'two.json').read_text()) == pytest.approx(measures, abs=1e-6)


@pytest.mark.slow
def test_pictures_card_and_source_of_a_test(walkers, tmp_path):
    pictures = tmp_path / 'pictures'
    _, features = run(
        walkers,
        tmp_path,
        *('--test-mode', 'even', '--tta', '--rerank', '5,2,0.3', '--protocol', 'tfclip'),
        *('--show-dir', str(pictures), '--interval', '3'),
    )
    num_queries = int(features.tracklets.is_query.sum())
    shown = sorted(pictures.glob('*.png'))
    assert len(shown) == -(-num_queries // 3)
    assert all(cv2.imread(str(path)) is not None for path in shown)
    assert features.meta['test_mode'] == 'even,flip (4 frames a clip)'
    assert features.meta['checkpoint'] == str(walkers / 'random.pth')
    log = next((tmp_path / 'work').glob('*/*.log')).read_text()
    assert "Evaluation protocol 'tfclip'" in log
    assert 'test mode    even,flip (4 frames a clip)' in log
    assert 're-ranking   k1 5, k2 2, lambda 0.3' in log


@pytest.mark.slow
def test_an_evaluation_that_means_nothing_ends_with_its_counts(walkers, tmp_path):
    script = [sys.executable, 'tools/test.py', CONFIG, str(walkers / 'random.pth')]
    done = call(
        script, walkers, tmp_path, '--cfg-options', 'test_dataloader.dataset.subset=query',
        '--protocol', 'csip',
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith('error: the test set holds no gallery')
