import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools' / 'analysis_tools' / 'calibrate_threshold.py'
    spec = importlib.util.spec_from_file_location('calibrate_threshold', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def features(tmp_path):
    """Twenty people, two cameras, embeddings that nearly tell them apart."""
    rng = np.random.default_rng(0)
    pid = np.tile(np.arange(1, 21), 2)
    embedding = rng.normal(size=(20, 16))[pid - 1] + 0.7 * rng.normal(size=(40, 16))
    path = tmp_path / 'model.npz'
    is_query = np.arange(40) < 20
    np.savez(path, embedding=embedding, pid=pid, camid=1 - is_query, is_query=is_query)
    return path


def test_threshold_is_saved_beside_the_features_and_keeps_its_promise(tool, features):
    tool.main([str(features), '--protocol', 'csip', '--fpr', '0.05'])
    report = json.loads(features.with_name('model.threshold.json').read_text())
    archive = np.load(features)
    unit = archive['embedding'] / np.linalg.norm(archive['embedding'], axis=1, keepdims=True)
    accepted = unit[:20] @ unit[20:].T >= report['threshold'] - 1e-6
    impostor = ~np.eye(20, dtype=bool)
    assert accepted[impostor].mean() <= 0.05
    assert accepted[~impostor].mean() > 0.5
    assert report['genuine_pairs'] == 20
    assert report['impostor_pairs'] == 380


def test_equal_error_rate_can_be_chosen(tool, features, tmp_path):
    tool.main([str(features), '--eer', '--out', str(tmp_path / 'eer.json')])
    report = json.loads((tmp_path / 'eer.json').read_text())
    assert report['criterion'] == 'equal error rate'
    assert report['EER'] < 20


def test_plot_is_drawn(tool, features, tmp_path):
    tool.main([str(features), '--plot', str(tmp_path / 'plots' / 'roc.png')])
    assert cv2.imread(str(tmp_path / 'plots' / 'roc.png')).shape[1] > 600


def test_folder_that_takes_no_file_is_told_before_the_work(tool, features, monkeypatch, tmp_path):
    monkeypatch.setattr(tool, 'why_not_writable', lambda path: 'cannot be written: no right')
    monkeypatch.setattr(tool, 'read_features', None)  # would fail if it were called
    expected = r'model\.threshold\.json cannot be written: no right; name another file with --out'
    with pytest.raises(SystemExit, match=expected):
        tool.main([str(features)])


def test_failure_to_write_is_one_sentence(tool, features, monkeypatch):
    def fail(path, content):
        raise OSError(28, 'No space left on device', str(path))

    monkeypatch.setattr(tool, 'write_json', fail)
    with pytest.raises(SystemExit, match=r'^error: .*No space left on device'):
        tool.main([str(features)])


def test_too_strict_a_demand_is_explained(tool, features):
    with np.load(features) as archive:
        arrays = dict(archive)
    arrays['embedding'] = np.ones((40, 2))
    np.savez(features, **arrays)
    with pytest.raises(
        SystemExit,
        match=r'760 of the 760 impostor pairs are as similar or more; .* --fpr of 1 or more',
    ):
        tool.main([str(features), '--fpr', '0.001'])
