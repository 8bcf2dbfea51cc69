import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / 'tests' / 'data' / 'published_evaluation.npz'


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools' / 'analysis_tools' / 'eval_metric.py'
    spec = importlib.util.spec_from_file_location('eval_metric', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def features(tmp_path):
    """Write the published features as another code would: four arrays, nothing else."""
    published = np.load(PUBLISHED)
    both = {
        name: np.concatenate([published[f'query_{key}'], published[f'gallery_{key}']])
        for name, key in (('embedding', 'feat'), ('pid', 'pid'), ('camid', 'cam'))
    }
    path = tmp_path / 'features.npz'
    np.savez(path, **both, is_query=np.arange(len(both['pid'])) < len(published['query_pid']))
    return path


def run(tool, features, *arguments):
    out = features.with_suffix('.json')
    tool.main([str(features), *arguments, '--json', str(out)])
    return json.loads(out.read_text())


def test_all_protocols_are_scored_from_one_file(tool, features):
    scores = run(tool, features, '--protocol', 'all')
    published = np.load(PUBLISHED)
    video = {'mars_official', 'tfclip', 'csip', 'market', 'ilids'}
    assert set(scores) == video | {'biwi', 'ias', 'ks20', 'kgbd'}
    assert scores['csip']['mAP'] == pytest.approx(100 * published['mAP'][0], abs=1e-4)
    assert scores['tfclip']['mAP'] == pytest.approx(100 * published['mAP'][1], abs=1e-4)
    assert scores['mars_official']['mAP'] < scores['tfclip']['mAP']
    assert scores['csip']['valid_queries'] == published['valid_queries'][0]
    keys = {'mAP', 'rank-1', 'rank-5', 'rank-10', 'rank-20', 'mINP', 'gallery', 'junk'}
    assert keys <= set(scores['market'])


def test_the_card_is_printed(tool, features, capsys):
    run(tool, features)
    assert "Evaluation protocol 'tfclip'" in capsys.readouterr().out


def test_re_ranking_is_passed_on(tool, features):
    scores = run(tool, features, '--protocol', 'csip', '--rerank', '20,6,0.3')['csip']
    assert scores['rerank'] == [20, 6, 0.3]
    assert scores['mAP'] == pytest.approx(100 * np.load(PUBLISHED)['mAP'][2], abs=0.3)


def test_details_are_valid_json(tool, features):
    scores = run(tool, features, '--details')['tfclip']
    assert scores['camera_pairs']['mAP'][0][0] is None
    assert 0 < scores['verification']['EER'] < 50


def test_a_protocol_that_does_not_fit_is_passed_over(tool, features, capsys):
    with np.load(features) as archive:
        arrays = dict(archive)
    # The queries' matches are other queries, so the gallery alone means nothing.
    arrays['pid'] = np.where(arrays['is_query'], arrays['pid'], 99)
    np.savez(features, **arrays)
    scores = run(tool, features, '--protocol', 'all')
    assert set(scores) == {'mars_official', 'tfclip'}
    assert "'csip' does not fit" in capsys.readouterr().out


def test_nothing_to_score_ends_with_one_sentence(tool, features):
    with pytest.raises(SystemExit, match=r'error: .*not found'):
        tool.main([str(features.with_name('missing.npz'))])


@pytest.mark.parametrize('text', ['20', '20,6', 'a,b,c', '20,6,0.3,1'])
def test_wrong_re_ranking_is_named(tool, features, text, capsys):
    with pytest.raises(SystemExit):
        tool.main([str(features), '--rerank', text])
    assert f"must be K1,K2,LAMBDA, got '{text}'" in capsys.readouterr().err


def test_euclidean_features_are_scored_by_their_distance(tool, features):
    with np.load(features) as archive:
        arrays = dict(archive)
    arrays['embedding'] = arrays['embedding'] + 100  # distances stay, directions become alike
    np.savez(features, **arrays)
    cosine = run(tool, features)['tfclip']
    euclidean = run(tool, features, '--metric', 'euclidean')['tfclip']
    assert (cosine['metric'], euclidean['metric']) == ('cosine', 'euclidean')
    arrays['embedding'] = arrays['embedding'] - 100
    np.savez(features, **arrays)
    assert run(tool, features, '--metric', 'euclidean')['tfclip']['mAP'] == pytest.approx(
        euclidean['mAP'], abs=0.05
    )


def test_euclidean_re_ranking_is_refused_in_one_sentence(tool, features, capsys):
    with pytest.raises(SystemExit, match='error: re-ranking compares embeddings by their cosine'):
        tool.main([str(features), '--metric', 'euclidean', '--rerank', '20,6,0.3'])
    assert capsys.readouterr().out == ''


def test_queries_of_one_camera_are_told_on_the_card_and_in_the_json(tool, tmp_path, capsys):
    pid = np.tile(np.arange(1, 9), 2)
    camid = np.repeat([3, 5], 8)
    path = tmp_path / 'f.npz'
    np.savez(path, embedding=np.eye(8)[pid - 1], pid=pid, camid=camid, is_query=camid == 3)
    (warning,) = run(tool, path, '--protocol', 'mars_official')['mars_official']['warnings']
    assert "the protocol 'market'" in warning
    assert warning in capsys.readouterr().out
    assert run(tool, path, '--protocol', 'market')['market']['warnings'] == []
