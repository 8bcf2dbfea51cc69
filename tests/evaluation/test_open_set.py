import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csipreid.evaluation.open_set import (
    BestSimilarities,
    best_similarities,
    identification_rate_at,
)
from csipreid.evaluation.protocol import get_protocol
from csipreid.evaluation.tracklet_set import TrackletSet

level = st.integers(-4, 4).map(lambda number: number / 4)


def slow_rate(match, other, allowed):
    """Try every threshold that could matter and take the lowest that is allowed."""
    candidates = sorted({-math.inf, *(float(np.nextafter(np.float32(o), np.inf)) for o in other)})
    for threshold in candidates:
        if sum(o >= threshold for o in other) / len(other) <= allowed:
            known = [(m, o) for m, o in zip(match, other, strict=True) if m > -math.inf]
            return sum(m > o and m >= threshold for m, o in known) / len(known)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.one_of(st.just(-math.inf), level), level), min_size=1, max_size=12),
    st.integers(0, 10).map(lambda number: number / 10),
)
def test_rate_agrees_with_thresholds_tried_one_by_one(pairs, allowed):
    match, other = zip(*[*pairs, (0.5, 0.25)], strict=True)
    best = BestSimilarities(np.array(match, np.float32), np.array(other, np.float32))
    assert identification_rate_at(best, allowed)[0] == pytest.approx(
        slow_rate(match, other, allowed)
    )


@pytest.mark.parametrize('name', ['csip', 'tfclip'])
@pytest.mark.parametrize('max_bytes', [1, 1 << 20])
def test_nearest_of_each_kind_are_those_of_a_slow_search(name, max_bytes):
    rng = np.random.default_rng(0)
    data = TrackletSet(
        rng.normal(size=(40, 3)).astype(np.float32),
        rng.integers(-1, 6, 40),
        rng.integers(0, 3, 40),
        np.arange(40) < 15,
    )
    protocol = get_protocol(name)
    unit = data.embedding / np.linalg.norm(data.embedding, axis=1, keepdims=True)
    expected = []
    for q in np.flatnonzero(data.is_query & (data.pid != -1)):
        nearest = dict.fromkeys(('match', 'other'), -math.inf)
        for g in np.flatnonzero((data.pid != -1) & (protocol.query_in_gallery | ~data.is_query)):
            same = data.pid[q] == data.pid[g]
            if not (same and data.camid[q] == data.camid[g]):
                kind = 'match' if same else 'other'
                nearest[kind] = max(nearest[kind], float(unit[q] @ unit[g]))
        expected.append([nearest['match'], nearest['other']])
    found = np.stack(best_similarities(data, protocol, max_bytes), axis=1)
    assert found == pytest.approx(np.array(expected), abs=1e-6)


def test_no_match_at_all_is_an_error():
    best = BestSimilarities(np.array([-np.inf]), np.array([0.5]))
    with pytest.raises(ValueError, match='none of the 1 queries'):
        identification_rate_at(best, 0.1)


def test_rate_outside_its_range_is_named():
    with pytest.raises(ValueError, match='got 2'):
        identification_rate_at(BestSimilarities(np.ones(1), np.zeros(1)), 2)
