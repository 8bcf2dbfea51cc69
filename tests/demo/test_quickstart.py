import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from csipreid.evaluation.feature_file import FeatureFile, write_features
from csipreid.evaluation.tracklet_set import TrackletSet

FILE = Path(__file__).parents[2] / 'demo' / 'quickstart.py'


@pytest.fixture(scope='module')
def quickstart():
    spec = importlib.util.spec_from_file_location('quickstart', FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tracklets():
    """Five persons, each once under each of two cameras; the first camera queries."""
    pid = np.repeat(np.arange(1, 6), 2)
    camid = np.tile([0, 1], 5)
    embedding = np.eye(5, 8, dtype=np.float32)[pid - 1] + 0.01 * camid[:, None]
    return TrackletSet(embedding.astype(np.float32), pid, camid, camid == 0)


def test_chance_is_that_of_a_random_order(quickstart, tracklets):
    # One match among the nine others: the expected rank-1 is 1 in 9 (its own pair is kept).
    scores = quickstart.chance(tracklets)
    assert scores['rank-1'] == pytest.approx(100 / 9, abs=9)
    assert 10 < scores['mAP'] < 60


def test_row_rounds_what_the_table_shows(quickstart):
    measures = {'reid/mAP': 12.3456, 'reid/rank-1': 50.0, 'reid/rank-5': 60.0}
    assert quickstart.row(measures) == {'mAP': 12.35, 'rank-1': 50.0}


def test_rankings_are_drawn_from_a_feature_file(quickstart, tracklets, tmp_path):
    frame = tmp_path / 'frame.jpg'
    cv2.imwrite(str(frame), np.full((64, 32, 3), 128, np.uint8))
    paths = [[str(frame)]] * len(tracklets.pid)
    write_features(tmp_path / 'a.npz', FeatureFile(tracklets, paths))
    quickstart.draw_rankings(tmp_path / 'a.npz', tmp_path / 'ranking.png')
    picture = cv2.imread(str(tmp_path / 'ranking.png'))
    assert picture.shape[0] > 64 * 2
    greens = (picture == np.array([34, 139, 34])).all(axis=-1)  # BGR of the right border
    assert greens.any()


def test_losses_are_drawn_from_the_logs(quickstart, tmp_path):
    log = tmp_path / 'run' / '2026' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    lines = [dict(step=i, loss=3.0 - i, loss_id=1.0, lr=0.1) for i in range(3)]
    log.write_text('\n'.join(json.dumps(line) for line in [*lines, {'reid/mAP': 1.0}]))
    quickstart.draw_losses({'run': tmp_path / 'run'}, tmp_path / 'curves.png')
    assert cv2.imread(str(tmp_path / 'curves.png')).std() > 0


def test_failing_step_ends_with_its_output(quickstart, tmp_path):
    steps = quickstart.Quickstart(tmp_path, 0)
    with pytest.raises(RuntimeError, match='bad step failed') as error:
        steps.run('bad step', '-c', 'raise SystemExit("what went wrong")')
    assert 'what went wrong' in str(error.value)
    assert (tmp_path / 'logs' / 'bad_step.log').is_file()
