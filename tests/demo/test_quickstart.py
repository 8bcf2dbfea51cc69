import importlib.util
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from csipreid.evaluation.feature_file import FeatureFile, write_features
from csipreid.evaluation.tracklet_set import TrackletSet

DEMO = Path(__file__).parents[2] / 'demo'
GREEN = np.array([34, 139, 34])  # of the right border, the same as BGR and RGB


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def quickstart():
    return load(DEMO / 'quickstart.py')


@pytest.fixture
def feature_files(tmp_path):
    """Five persons under two cameras; the second file takes a query of person 3 for person 4."""
    frame = tmp_path / 'frame.jpg'
    cv2.imwrite(str(frame), np.full((64, 32, 3), 128, np.uint8))
    pid, camid = np.repeat(np.arange(1, 6), 2), np.tile([0, 1], 5)
    good = (np.eye(5, 8)[pid - 1] + 0.01 * camid[:, None]).astype(np.float32)
    bad = good.copy()
    bad[(pid == 3) & (camid == 0)] = np.eye(8)[6] + 0.1 * np.eye(8)[3]
    files = {}
    for name, embedding in dict(good=good, bad=bad).items():
        tracklets = TrackletSet(embedding, pid, camid, camid == 0)
        files[name] = tmp_path / f'{name}.npz'
        write_features(files[name], FeatureFile(tracklets, [[str(frame)]] * len(pid)))
    return files


def test_queries_that_one_model_alone_gets_right_are_counted_and_drawn(
    quickstart, feature_files, tmp_path
):
    path = tmp_path / 'ranking.png'
    others = dict(bad=feature_files['bad'])
    assert quickstart.draw_rankings(feature_files['good'], others, 'good', path) == 1
    picture = cv2.imread(str(path))
    greens = (picture == GREEN).all(axis=-1)
    half = picture.shape[0] // 8  # four queries, each by two models
    assert greens[:half].any()


def test_nothing_is_counted_where_both_are_right(quickstart, feature_files, tmp_path):
    others = dict(same=feature_files['good'])
    path = tmp_path / 'ranking.png'
    assert quickstart.draw_rankings(feature_files['good'], others, 'good', path) == 0
    assert path.is_file()


def test_losses_are_drawn_from_the_logs(quickstart, tmp_path):
    log = tmp_path / 'run' / '2026' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    lines = [dict(step=i, loss=3.0 - i, loss_id=1.0, lr=0.1) for i in range(3)]
    log.write_text('\n'.join(json.dumps(line) for line in [*lines, {'reid/mAP': 1.0}]))
    quickstart.draw_losses({'run': tmp_path / 'run'}, tmp_path / 'curves.png')
    assert cv2.imread(str(tmp_path / 'curves.png')).std() > 0


def test_its_study_is_one_that_the_runner_reads(quickstart, monkeypatch):
    monkeypatch.syspath_prepend(str(DEMO.parent / 'tools' / 'misc'))
    study = sys.modules.get('study_plan') or load(DEMO.parent / 'tools' / 'misc' / 'study_plan.py')
    runs = {run.name: run for run in study.read_study(DEMO / 'quickstart_study.py').runs}
    assert {'tower', 'control', 'csip', 'joints', 'stage1'} <= set(runs)
    # The control is trained for as long as what it is compared with.
    lengths = {
        runs[name].options['train_cfg']['max_epochs'] for name in ('control', 'joints', 'csip')
    }
    assert len(lengths) == 1
