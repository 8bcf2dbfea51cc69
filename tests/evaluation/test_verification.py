import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csipreid.evaluation.protocol import get_protocol
from csipreid.evaluation.tracklet_set import TrackletSet
from csipreid.evaluation.verification import (
    equal_error_rate,
    roc_curve,
    true_positive_rate_at,
    verify_tracklets,
)

scores = st.lists(st.integers(-6, 6).map(lambda level: level / 4), min_size=1, max_size=20)


def slow_points(genuine, impostor):
    """Error rates at every score, strictest first, from nothing to everything accepted."""
    points = [(0.0, 0.0)]
    for threshold in sorted({*genuine, *impostor}, reverse=True):
        points.append(
            tuple(
                sum(score >= threshold for score in group) / len(group)
                for group in (impostor, genuine)
            )
        )
    return points


def slow_equal_error_rate(genuine, impostor):
    """Walk along the joined points to the place where both errors are equal."""
    points = slow_points(genuine, impostor)
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x1 + y1 >= 1:
            return x0 + (1 - x0 - y0) / (x1 + y1 - x0 - y0) * (x1 - x0)


def split(values):
    return np.array_split(np.array(values), 3)


@settings(max_examples=300, deadline=None)
@given(genuine=scores, impostor=scores, allowed=st.integers(0, 20).map(lambda level: level / 20))
def test_rates_agree_with_all_thresholds_tried_one_by_one(genuine, impostor, allowed):
    roc = roc_curve(np.array(genuine), split(impostor))
    points = slow_points(genuine, impostor)
    best = max(y for x, y in points if x <= allowed)
    assert true_positive_rate_at(roc, allowed)[0] == pytest.approx(best)
    rate, threshold = equal_error_rate(roc)
    assert rate == pytest.approx(slow_equal_error_rate(genuine, impostor))
    rejected = sum(score < threshold for score in genuine) / len(genuine)
    accepted = sum(score >= threshold for score in impostor) / len(impostor)
    assert min(rejected, accepted) <= rate + 1e-9


def test_perfect_separation_has_no_error():
    roc = roc_curve(np.array([0.8, 0.9]), [np.array([0.1, 0.2])])
    assert equal_error_rate(roc) == (0, 0.8)
    assert true_positive_rate_at(roc, 0.0) == (1, 0.8)


def test_a_threshold_accepts_what_reaches_it():
    roc = roc_curve(np.array([0.5]), [np.array([0.5, 0.4])])
    assert roc.false_positive_rate.tolist() == [0.5]
    assert true_positive_rate_at(roc, 0.4) == (0, float('inf'))


def tracklets(count=12):
    rng = np.random.default_rng(1)
    return TrackletSet(
        embedding=rng.normal(size=(count, 3)).astype(np.float32),
        pid=np.arange(count) % 3,
        camid=np.arange(count) % 2,
        is_query=np.arange(count) < 4,
    )


@pytest.mark.parametrize('max_bytes', [1, 1 << 20])
def test_pairs_are_those_that_retrieval_ranks(max_bytes):
    roc = verify_tracklets(tracklets(), get_protocol('csip'), max_bytes)
    data = tracklets()
    pairs = [
        (data.pid[q] == data.pid[g], data.camid[q] == data.camid[g])
        for q in range(4)
        for g in range(4, 12)
    ]
    assert roc.num_genuine == sum(same and not camera for same, camera in pairs)
    assert roc.num_impostor == sum(not same for same, _ in pairs)


def test_no_genuine_pair_is_an_error():
    with pytest.raises(ValueError, match='got 0 and 1'):
        roc_curve(np.array([]), [np.array([0.1])])


def test_rate_outside_its_range_is_named():
    roc = roc_curve(np.array([1.0]), [np.array([0.0])])
    with pytest.raises(ValueError, match=r'in \[0, 1\], got 5'):
        true_positive_rate_at(roc, 5)
