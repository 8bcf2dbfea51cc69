import pytest
import torch

from csipreid.registry import METRICS


def sample(subset, angle, pid, camid, has_skeleton=True):
    radians = torch.tensor(float(angle)).deg2rad()
    return dict(
        skeleton_embedding=torch.stack([radians.cos(), radians.sin()]),
        has_skeleton=has_skeleton,
        pid=pid,
        camid=camid,
        subset=subset,
    )


def evaluate(samples, **kwargs):
    metric = METRICS.build(dict(type='SkeletonRetrievalMetric', **kwargs))
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def test_hand_computed_ranking():
    # Nearest first: [same camera: dropped], wrong, right, wrong, right.
    samples = [
        sample('query', 0, 1, 1),
        sample('gallery', 5, 1, 1),
        sample('gallery', 10, 2, 1),
        sample('gallery', 20, 1, 2),
        sample('gallery', 30, 2, 3),
        sample('gallery', 40, 1, 3),
    ]
    scores = evaluate(samples, ranks=(1, 2))
    assert scores == {
        'skeleton/mAP': pytest.approx(100 * (1 / 2 + 2 / 4) / 2),
        'skeleton/rank-1': 0,
        'skeleton/rank-2': 100,
    }


def test_tracklets_without_skeleton_are_left_out():
    samples = [
        sample('query', 0, 1, 1),
        sample('query', 80, 1, 2, has_skeleton=False),
        sample('gallery', 1, 2, 2, has_skeleton=False),
        sample('gallery', 20, 1, 2),
        sample('gallery', 30, 2, 3),
    ]
    assert evaluate(samples)['skeleton/rank-1'] == 100


def test_no_skeleton_at_all_is_an_error():
    with pytest.raises(ValueError, match='none of the 2 tracklets has a skeleton'):
        evaluate([sample('query', 0, 1, 1, False), sample('gallery', 1, 1, 2, False)])
