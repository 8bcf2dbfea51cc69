import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csipreid.evaluation.breakdown import by_length, camera_pairs, keep_matches
from csipreid.evaluation.protocol import get_protocol
from csipreid.evaluation.ranking import MatchRanks, average_precisions
from csipreid.evaluation.retrieval import evaluate_retrieval
from csipreid.evaluation.tracklet_set import TrackletSet


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=0, max_size=5), min_size=1, max_size=5), st.data())
def test_later_matches_move_up_when_some_are_left_out(kept, data):
    ranks = [
        sorted(data.draw(st.sets(st.integers(1, 20), min_size=len(k), max_size=len(k))))
        for k in kept
    ]
    flat = np.array([rank for row in ranks for rank in row], np.int64)
    counts = np.array([len(row) for row in ranks])
    mask = np.array([choice for row in kept for choice in row], bool)
    result = keep_matches(MatchRanks(flat, counts, np.arange(len(flat))), mask)
    expected = [
        [
            rank - sum(other < rank and not choice for other, choice in zip(row, k, strict=True))
            for rank, choice in zip(row, k, strict=True)
            if choice
        ]
        for row, k in zip(ranks, kept, strict=True)
    ]
    assert result.counts.tolist() == [len(row) for row in expected]
    assert result.ranks.tolist() == [rank for row in expected for rank in row]


def evaluated(name='tfclip'):
    rng = np.random.default_rng(5)
    data = TrackletSet(
        rng.normal(size=(80, 6)).astype(np.float32),
        rng.integers(0, 6, 80),
        rng.integers(0, 3, 80),
        np.arange(80) < 30,
    )
    return data, evaluate_retrieval(data, get_protocol(name))


def test_a_cell_is_the_evaluation_without_the_other_cameras_matches():
    data, result = evaluated()
    pairs = camera_pairs(result)
    query_camera, camera = 2, 1
    precisions = []
    for row in np.flatnonzero(data.is_query & (data.camid == query_camera)):
        same = data.pid == data.pid[row]
        kept = np.flatnonzero(~same | (data.camid == camera))
        unit = data.embedding / np.linalg.norm(data.embedding, axis=1, keepdims=True)
        hits = same[kept][np.argsort(-(unit[kept] @ unit[row]), kind='stable')]
        places = np.flatnonzero(hits) + 1
        precisions.append(np.mean(np.arange(1, len(places) + 1) / places))
    assert pairs.cameras.tolist() == [0, 1, 2]
    assert pairs.queries[query_camera, camera] == len(precisions)
    assert pairs.mean_average_precision[query_camera, camera] == pytest.approx(
        100 * np.mean(precisions)
    )


def test_the_diagonal_is_empty():
    _, result = evaluated()
    pairs = camera_pairs(result)
    assert np.isnan(np.diag(pairs.mean_average_precision)).all()
    assert (np.diag(pairs.queries) == 0).all()
    assert np.isfinite(pairs.rank_1[~np.eye(3, dtype=bool)]).all()


def test_length_groups_hold_all_valid_queries():
    _, result = evaluated()
    lengths = np.random.default_rng(0).integers(2, 40, 80)
    groups = by_length(result, lengths, 3)
    assert sum(group.queries for group in groups) == result.card.valid_queries
    weighted = sum(group.queries * group.mean_average_precision for group in groups)
    assert weighted / result.card.valid_queries == pytest.approx(result.measures()['mAP'])
    edges = [edge for group in groups for edge in (group.shortest, group.longest)]
    assert edges == sorted(edges)
    short = np.flatnonzero(lengths[result.query_rows] <= groups[0].longest)
    assert groups[0].mean_average_precision == pytest.approx(
        100 * average_precisions(result.matches)[short].mean()
    )


def test_equal_lengths_make_one_group():
    _, result = evaluated()
    assert len(by_length(result, np.full(80, 16))) == 1


def test_junk_is_left_out_of_the_cells_as_it_is_of_map():
    data, _ = evaluated()
    fields = dict(
        embedding=np.repeat(data.embedding[:1], 20, axis=0),
        pid=np.full(20, -1),
        camid=np.arange(20) % 3,
        is_query=np.zeros(20, bool),
    )
    joined = {key: np.concatenate([getattr(data, key), junk]) for key, junk in fields.items()}
    without, among = (
        camera_pairs(evaluate_retrieval(part, get_protocol('mars_official')))
        for part in (data, TrackletSet(**joined))
    )
    np.testing.assert_array_equal(among.mean_average_precision, without.mean_average_precision)
    np.testing.assert_array_equal(among.rank_1, without.rank_1)


@pytest.mark.parametrize('size', [79, 81])
def test_lengths_of_other_tracklets_are_refused(size):
    _, result = evaluated()
    with pytest.raises(ValueError, match=rf'each of 80 tracklets, got \({size},\)'):
        by_length(result, np.full(size, 16))
