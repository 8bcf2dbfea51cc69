import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csipreid.evaluation.ranking import (
    MatchRanks,
    average_precisions,
    cmc,
    cmc_curve,
    inverse_negative_penalties,
    mean_average_precision,
    mean_inverse_negative_penalty,
    rank_matches,
)


def slow_ranking(row, query, gallery, drop):
    """List whether each ranked item is right, nearest first; ties in gallery order."""
    order = sorted(range(len(gallery)), key=lambda index: (row[index], index))
    kept = [gallery[index] for index in order if not (drop and gallery[index] == query)]
    return [pid == query[0] for pid, _ in kept]


def slow_step(hits):
    """Average the precision at each match."""
    precisions = [sum(hits[: place + 1]) / (place + 1) for place, right in enumerate(hits) if right]
    return sum(precisions) / len(precisions)


def slow_trapezoid(hits):
    """Walk down the list as the official MARS evaluation does."""
    area, old_recall, old_precision, found = 0.0, 0.0, 1.0, 0
    for place, right in enumerate(hits):
        found += right
        recall, precision = found / sum(hits), found / (place + 1)
        area += (recall - old_recall) * (old_precision + precision) / 2
        old_recall, old_precision = recall, precision
    return area


def slow_cmc(rankings, rank):
    """Share of the queries with a match among the first ``rank``."""
    return sum(any(hits[:rank]) for hits in rankings) / len(rankings)


def slow_inp(hits):
    """Matches divided by the place of the hardest one."""
    last = max(place for place, right in enumerate(hits) if right)
    return sum(hits) / (last + 1)


def mean(values):
    """Average; NaN of nothing."""
    values = list(values)
    return sum(values) / len(values) if values else math.nan


@st.composite
def cases(draw):
    """Few identities, cameras and distances, so that ties and empty sets abound."""
    num_queries, num_gallery = draw(st.integers(0, 6)), draw(st.integers(1, 14))
    identity = st.integers(-1, draw(st.integers(0, 3)))
    camera = st.integers(0, draw(st.integers(0, 2)))
    record = st.tuples(identity, camera)
    queries = draw(st.lists(record, min_size=num_queries, max_size=num_queries))
    gallery = draw(st.lists(record, min_size=num_gallery, max_size=num_gallery))
    level = st.integers(-2, draw(st.integers(-1, 40)))
    rows = [[draw(level) / 4 for _ in gallery] for _ in queries]
    return queries, gallery, rows


def fast(queries, gallery, rows, **kwargs):
    q = np.array(queries, int).reshape(-1, 2)
    g = np.array(gallery, int)
    distances = np.array(rows, np.float32).reshape(len(queries), len(gallery))
    return rank_matches(distances, q[:, 0], g[:, 0], q[:, 1], g[:, 1], **kwargs)


@settings(max_examples=300, deadline=None)
@given(case=cases(), same_camera=st.sampled_from(['drop', 'keep']))
def test_every_measure_agrees_with_its_definition(case, same_camera):
    queries, gallery, rows = case
    rankings = [
        slow_ranking(row, query, gallery, same_camera == 'drop')
        for row, query in zip(rows, queries, strict=True)
    ]
    valid = [found for found in rankings if any(found)]
    matches = fast(queries, gallery, rows, same_camera=same_camera)
    assert (matches.counts > 0).tolist() == [any(found) for found in rankings]
    expected = {
        'step': mean(map(slow_step, valid)),
        'trapezoid': mean(map(slow_trapezoid, valid)),
        'inp': mean(map(slow_inp, valid)),
    }
    assert {
        'step': mean_average_precision(matches),
        'trapezoid': mean_average_precision(matches, 'trapezoid'),
        'inp': mean_inverse_negative_penalty(matches),
    } == pytest.approx(expected, nan_ok=True)
    for rank in (1, 2, 5, 20):
        expected_share = slow_cmc(valid, rank) if valid else float('nan')
        assert cmc(matches, rank) == pytest.approx(expected_share, nan_ok=True)
        assert cmc_curve(matches, rank)[-1] == pytest.approx(expected_share, nan_ok=True)


@settings(max_examples=50, deadline=None)
@given(case=cases())
def test_columns_name_the_matches(case):
    queries, gallery, _ = case
    matches = fast(*case)
    owners = np.repeat(np.arange(len(queries)), matches.counts)
    assert [gallery[column][0] for column in matches.columns] == [
        queries[owner][0] for owner in owners
    ]


def test_hand_computed_precisions():
    matches = MatchRanks(np.array([2, 4, 1]), np.array([2, 0, 1]), np.array([0, 1, 0]))
    assert average_precisions(matches) == pytest.approx([1 / 2, np.nan, 1], nan_ok=True)
    # Precision before and at the matches of the first query: 0 and 1/2, 1/3 and 2/4.
    assert average_precisions(matches, 'trapezoid')[0] == pytest.approx((1 / 4 + 5 / 12) / 2)
    assert inverse_negative_penalties(matches) == pytest.approx([1 / 2, np.nan, 1], nan_ok=True)


def test_a_tie_keeps_the_order_of_the_gallery():
    assert fast([(1, 0)], [(1, 1), (2, 1)], [[0, 0]]).ranks.tolist() == [1]
    assert fast([(1, 0)], [(2, 1), (1, 1)], [[0, 0]]).ranks.tolist() == [2]


def test_a_left_out_item_does_not_count_in_a_tie():
    assert fast([(1, 0)], [(1, 0), (1, 1)], [[0, 0]]).ranks.tolist() == [1]


def test_inputs_are_not_changed():
    distances = np.array([[3.0, 1.0, 2.0]])
    before = distances.copy()
    pids, camids = np.array([1, 1, 2]), np.array([0, 1, 1])
    rank_matches(distances, pids[:1], pids, camids[:1], camids)
    assert (distances == before).all()


def test_nan_distances_are_counted():
    with pytest.raises(ValueError, match='1 of 2 queries, the first in row 0'):
        fast([(1, 0), (1, 0)], [(1, 1)], [[np.nan], [0]])


def test_shape_mismatch_names_both_shapes():
    with pytest.raises(ValueError, match=r'\(1, 2\), got \(1, 1\)'):
        rank_matches(np.zeros((1, 1)), np.zeros(1), np.zeros(2), np.zeros(1), np.zeros(2))


def test_unknown_interpolation_is_named():
    with pytest.raises(ValueError, match="got 'linear'"):
        average_precisions(MatchRanks(*np.ones((3, 1), int)), 'linear')


# Outputs of the published CSIP-ReID code on made-up features.
PUBLISHED = Path(__file__).parents[1] / 'data' / 'published_evaluation.npz'


@pytest.mark.parametrize('query_in_gallery', [False, True])
def test_published_numbers_are_reproduced(query_in_gallery):
    golden = np.load(PUBLISHED)
    query = [golden[f'query_{key}'] for key in ('feat', 'pid', 'cam')]
    gallery = [golden[f'gallery_{key}'] for key in ('feat', 'pid', 'cam')]
    if query_in_gallery:
        gallery = [np.concatenate(pair) for pair in zip(query, gallery, strict=True)]
    distances = -(query[0] @ gallery[0].T)
    matches = rank_matches(distances, query[1], gallery[1], query[2], gallery[2])
    curve = golden['cmc_query_in_gallery' if query_in_gallery else 'cmc_gallery_only']
    assert mean_average_precision(matches) == pytest.approx(
        golden['mAP'][int(query_in_gallery)], abs=1e-6
    )
    assert cmc_curve(matches) == pytest.approx(curve, abs=1e-6)
    assert (matches.counts > 0).sum() == golden['valid_queries'][int(query_in_gallery)]


def test_pids_of_two_axes_are_refused():
    pids, camids = np.array([[1, 2], [3, 4]]), np.array([0, 1])
    with pytest.raises(ValueError, match=r'must have one axis, got the shapes \[\(2, 2\)'):
        rank_matches(np.zeros((2, 2)), pids, camids, camids, camids)
