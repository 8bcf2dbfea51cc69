import math

import numpy as np
import pytest

from csipreid.evaluation.protocol import get_protocol
from csipreid.evaluation.ranked_lists import ranked_lists
from csipreid.evaluation.retrieval import evaluate_retrieval
from csipreid.evaluation.tracklet_set import TrackletSet

# Degrees, pid, camid; the first two are queries.
ITEMS = [(0, 1, 0), (3, 2, 1), (1, 1, 0), (2, -1, 1), (4, 1, 1), (5, 2, 0), (6, 1, 2), (7, 3, 2)]


def example():
    angles, pid, camid = (np.array(column) for column in zip(*ITEMS, strict=True))
    angles = np.radians(10 * angles)
    embedding = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    return TrackletSet(embedding, pid, camid, np.arange(len(ITEMS)) < 2)


def test_left_out_items_stand_in_their_place_without_a_rank():
    first = next(ranked_lists(example(), get_protocol('csip'), top=3))
    assert first.query == 0
    assert first.rows.tolist() == [2, 3, 4, 5, 6]
    assert first.verdicts == ['same camera', 'junk', 'right', 'wrong', 'right']
    assert first.distances[2] == pytest.approx(1 - math.cos(math.radians(40)), abs=1e-6)


def test_other_queries_are_listed_but_not_the_query_itself():
    first, second = ranked_lists(example(), get_protocol('tfclip'), top=2)
    assert first.rows.tolist() == [2, 3, 1, 4]
    assert 1 not in second.rows


def test_chosen_queries_alone_are_listed():
    lists = list(ranked_lists(example(), get_protocol('csip'), query_rows=np.array([1])))
    assert [item.query for item in lists] == [1]


def test_junk_is_not_re_ranked():
    lists = list(ranked_lists(example(), get_protocol('csip'), rerank=(3, 2, 0.3)))
    assert [item.query for item in lists] == [0, 1]
    assert all('junk' not in item.verdicts for item in lists)


@pytest.mark.parametrize('name', ['csip', 'tfclip'])
def test_lists_agree_with_the_measured_ranks(name):
    rng = np.random.default_rng(0)
    data = TrackletSet(
        rng.normal(size=(60, 4)).astype(np.float32),
        rng.integers(-1, 6, 60),
        rng.integers(0, 3, 60),
        np.arange(60) < 20,
    )
    result = evaluate_retrieval(data, get_protocol(name))
    lists = list(ranked_lists(data, get_protocol(name), top=60))
    assert [item.query for item in lists] == result.query_rows.tolist()
    ranked = [[v for v in item.verdicts if v in ('right', 'wrong')] for item in lists]
    places = [
        place + 1 for row in ranked for place, verdict in enumerate(row) if verdict == 'right'
    ]
    assert places == result.matches.ranks.tolist()


def places_of_matches(lists):
    ranked = [[v for v in item.verdicts if v in ('right', 'wrong')] for item in lists]
    return [place + 1 for row in ranked for place, v in enumerate(row) if v == 'right']


def without_junk(item):
    """Rows of a list; junk takes no rank, and nothing measures where among equals it stands."""
    return [row for row, verdict in zip(item.rows.tolist(), item.verdicts, strict=True)
            if verdict != 'junk']  # fmt: skip


def hard_to_order(kind, size=300, dim=65):
    """Embeddings whose order a rounding, or another way to multiply, would change."""
    rng = np.random.default_rng(8)
    embedding = rng.normal(size=(size, dim)).astype(np.float32)
    if kind == 'tiny differences':  # cosines of 1e-8, which 1 - cosine cannot tell apart
        embedding[:60] = np.eye(dim)[0]
        embedding[60:, 0] = 1e-7 * rng.normal(size=size - 60)
    if kind == 'ties':
        embedding = rng.integers(0, 2, (size, dim)).astype(np.float32)
        embedding[::2] = embedding[: (size + 1) // 2]
    if kind == 'nearly equal':
        embedding = 1 + 1e-7 * embedding
    return TrackletSet(
        embedding, rng.integers(-1, 12, size), rng.integers(0, 4, size), np.arange(size) < 60
    )


@pytest.mark.parametrize('kind', ['tiny differences', 'ties', 'nearly equal'])
@pytest.mark.parametrize('metric', ['cosine', 'euclidean'])
@pytest.mark.parametrize('name', ['csip', 'mars_official'])
def test_drawn_and_measured_ranking_are_one(name, metric, kind):
    data = hard_to_order(kind)
    protocol = get_protocol(dict(base=name, metric=metric))
    measured = evaluate_retrieval(data, protocol)
    drawn = list(ranked_lists(data, protocol, top=len(data.pid)))
    assert places_of_matches(drawn) == measured.matches.ranks.tolist()
    some = measured.query_rows[5::11]
    alone = list(ranked_lists(data, protocol, top=len(data.pid), query_rows=some))
    whole = {item.query: without_junk(item) for item in drawn}
    assert {item.query: without_junk(item) for item in alone} == {q: whole[q] for q in some}


def test_re_ranked_lists_are_the_measured_ranking():
    data, protocol = hard_to_order('ties'), get_protocol('tfclip')
    measured = evaluate_retrieval(data, protocol, rerank=(8, 3, 0.3))
    drawn = ranked_lists(data, protocol, top=300, rerank=(8, 3, 0.3))
    assert places_of_matches(drawn) == measured.matches.ranks.tolist()


def test_euclidean_lists_show_the_distance():
    protocol = get_protocol(dict(base='csip', metric='euclidean'))
    first = next(ranked_lists(example(), protocol, top=3))
    assert first.distances[2] == pytest.approx(2 * math.sin(math.radians(20)), abs=1e-6)
