import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools' / 'analysis_tools' / 'benchmark_evaluation.py'
    spec = importlib.util.spec_from_file_location('benchmark_evaluation', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_plain_version_and_toolbox_measure_the_same(tool):
    tracklets = tool.make_tracklets(30, 150, 16)
    assert tool.our_measures(tracklets) == pytest.approx(tool.plain_measures(tracklets), abs=1e-6)


def test_plain_and_sparse_re_ranking_agree_up_to_half_precision(tool):
    tracklets = tool.make_tracklets(30, 150, 16)
    plain, ours = tool.plain_re_ranking(tracklets), tool.our_re_ranking(tracklets)
    assert ours['mAP'] == pytest.approx(plain['mAP'], abs=0.3)


def test_half_precision_from_disk_scores_alike(tool):
    tracklets = tool.make_tracklets(30, 150, 16)
    grown, ours = tool.grown_gallery(tracklets), tool.our_measures(tracklets)
    assert grown['mAP'] == pytest.approx(ours['mAP'], abs=0.5)
