import math
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator

from csipreid.registry import METRICS
from csipreid.structures import ReIDDataSample

PUBLISHED = Path(__file__).parents[1] / 'data' / 'published_evaluation.npz'
ANGLES = dict(
    query=[(0, 1, 1)],
    gallery=[(5, 1, 1), (10, 2, 1), (20, 1, 2), (30, 2, 3), (40, 1, 3)],
)


def sample(subset, angle, pid, camid):
    embedding = torch.tensor([math.cos(math.radians(angle)), math.sin(math.radians(angle))])
    return dict(embedding=embedding, pid=pid, camid=camid, subset=subset)


def evaluate(samples, **kwargs):
    metric = METRICS.build(dict(type='ReIDMetric', **kwargs))
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def by_hand():
    return [sample(s, *item) for s, items in ANGLES.items() for item in items]


def test_hand_computed_ranking():
    # Nearest first: [same camera: dropped], wrong, right, wrong, right.
    scores = evaluate(by_hand(), ranks=(1, 2))
    assert scores['reid/mAP'] == pytest.approx(100 * (1 / 2 + 2 / 4) / 2)
    assert scores['reid/rank-1'] == 0
    assert scores['reid/rank-2'] == 100
    assert scores['reid/mINP'] == pytest.approx(50)


def test_official_mars_takes_trapezoids():
    # Precision before and at the matches: (0, 1/2) at rank 2, (1/3, 2/4) at rank 4.
    scores = evaluate(by_hand(), protocol='mars_official')
    assert scores['reid/mAP'] == pytest.approx(100 * ((0 + 1 / 2) / 2 + (1 / 3 + 2 / 4) / 2) / 2)


def test_default_ranks_queries_against_each_other():
    samples = [*by_hand(), sample('query', 15, 3, 1), sample('query', 16, 3, 2)]
    assert evaluate(samples)['reid/rank-1'] == pytest.approx(200 / 3)
    assert evaluate(samples, protocol='csip')['reid/rank-1'] == 0


def test_length_of_an_embedding_does_not_matter():
    samples = by_hand()
    for scale, item in enumerate(samples, start=1):
        item['embedding'] = scale * item['embedding']
    assert evaluate(samples) == evaluate(by_hand())


def test_padded_duplicates_of_a_distributed_sampler_are_dropped():
    samples = by_hand()
    metric = METRICS.build(dict(type='ReIDMetric'))
    metric.process({}, [*samples, samples[0]])
    assert metric.evaluate(len(samples)) == evaluate(samples)


def test_query_without_a_cross_camera_match_is_an_error():
    with pytest.raises(ValueError, match='under another camera'):
        evaluate([sample('query', 0, 1, 1), sample('gallery', 0, 1, 1), sample('gallery', 0, 2, 2)])


def test_a_single_camera_is_named():
    with pytest.raises(ValueError, match='come from one camera'):
        evaluate([sample('query', 0, 1, 1), sample('gallery', 0, 1, 1)])


def test_missing_gallery_is_named():
    with pytest.raises(ValueError, match='no gallery tracklet'):
        evaluate([sample('query', 0, 1, 1)])


def test_nan_embeddings_are_counted():
    samples = by_hand()
    samples[2]['embedding'] = samples[2]['embedding'] * float('nan')
    with pytest.raises(ValueError, match='0 of 1 queries and 1 of 5 gallery'):
        evaluate(samples)


def test_unknown_protocol_is_named():
    with pytest.raises(ValueError, match="unknown protocol 'mars'"):
        evaluate([], protocol='mars')


@pytest.mark.parametrize(
    ('options', 'row'),
    [
        (dict(protocol='csip'), 0),
        (dict(protocol='tfclip'), 1),
        (dict(protocol='csip', rerank=(20, 6, 0.3)), 2),
        (dict(protocol='csip', rerank=(50, 15, 0.3)), 3),
    ],
)
def test_published_numbers_are_reproduced(options, row):
    published = np.load(PUBLISHED)
    samples = [
        dict(embedding=torch.from_numpy(feature), pid=pid, camid=camid, subset=subset)
        for subset in ('query', 'gallery')
        for feature, pid, camid in zip(
            *(published[f'{subset}_{key}'] for key in ('feat', 'pid', 'cam')), strict=True
        )
    ]
    # The published re-ranking rounds to half precision.
    allowed = 0.3 if 'rerank' in options else 1e-4
    scores = evaluate(samples, **options)
    assert scores['reid/mAP'] == pytest.approx(100 * published['mAP'][row], abs=allowed)


def test_wrong_re_ranking_is_found_at_build():
    with pytest.raises(ValueError, match='three numbers'):
        METRICS.build(dict(type='ReIDMetric', rerank=(20, 6)))


def test_re_ranking_by_euclidean_distance_is_refused_at_build():
    protocol = dict(base='csip', metric='euclidean')
    with pytest.raises(ValueError, match='leave one of the two out'):
        METRICS.build(dict(type='ReIDMetric', protocol=protocol, rerank=(20, 6, 0.3)))


def test_metrics_of_an_evaluator_keep_one_copy_of_an_embedding(tmp_path):
    types = [dict(type='ReIDMetric'), dict(type='DumpFeatures', out_file=str(tmp_path / 'f.npz'))]
    evaluator = Evaluator([METRICS.build(config) for config in types])
    data_sample = ReIDDataSample(pid=1, camid=0, subset='query')
    data_sample.embedding = torch.arange(4, dtype=torch.bfloat16)
    evaluator.process([data_sample])
    first, second = (metric.results[0]['embedding'] for metric in evaluator.metrics)
    assert np.shares_memory(first, second)
    assert data_sample.embedding.dtype == torch.bfloat16  # the model's own is left alone
