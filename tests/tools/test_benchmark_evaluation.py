import importlib
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / 'tools' / 'analysis_tools'


@pytest.fixture
def tool(monkeypatch):
    """Import the tool as a script does, which finds its neighbours."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module('benchmark_evaluation')


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


def test_a_job_is_measured_in_a_process_of_its_own(tool):
    result = tool.measure(tool.our_measures, (30, 150, 16))
    expected = tool.our_measures(tool.make_tracklets(30, 150, 16))
    assert {name: result[name] for name in expected} == pytest.approx(expected)
    assert 0 < result['extra_mib'] + 1 < result['peak_mib']
