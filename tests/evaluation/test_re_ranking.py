from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csipreid.evaluation.ranking import mean_average_precision, rank_matches
from csipreid.evaluation.re_ranking import check_options, find_neighbours, re_ranked_blocks
from csipreid.evaluation.similarity import take_unit_rows

PUBLISHED = Path(__file__).parents[1] / 'data' / 'published_evaluation.npz'


def re_rank(embedding, num_queries, options, **kwargs):
    rows = np.arange(len(embedding))
    blocks = re_ranked_blocks(embedding, rows[:num_queries], rows[num_queries:], options, **kwargs)
    return np.concatenate([block for _, block in blocks])


def dense_definition(embedding, num_queries, k1, k2, weight):
    """Steps 1 to 6 of the module, row by row over whole matrices, in float64."""
    unit = take_unit_rows(embedding, np.arange(len(embedding)))
    size = len(unit)
    cosines = unit @ unit.T
    order = np.argsort(-cosines, axis=1, kind='stable')
    distances = 1 - cosines.astype(float)
    largest = distances.max(axis=1, keepdims=True)
    distances = np.clip(distances / np.where(largest > 1e-6, largest, 1), 0, 1)

    def mutual(i, k):
        return {j for j in order[i, : k + 1] if i in order[j, : k + 1]}

    encodings = np.zeros((size, size))
    for i in range(size):
        members = mutual(i, k1)
        expanded = set(members)
        for j in members:
            inner = mutual(j, int(np.around(k1 / 2)))
            if len(inner & members) > 2 / 3 * len(inner):
                expanded |= inner
        for j in expanded:
            encodings[i, j] = np.exp(-distances[i, j])
        if expanded:  # empty if more than k1 duplicates come before i
            encodings[i] /= encodings[i].sum()
    if k2 > 1:
        encodings = np.stack([encodings[order[i, :k2]].mean(axis=0) for i in range(size)])
    result = np.empty((num_queries, size))
    for i in range(num_queries):
        shared = np.minimum(encodings[i], encodings).sum(axis=1)
        result[i] = (1 - weight) * (1 - shared / (2 - shared)) + weight * distances[i]
    return result[:, num_queries:]


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.integers(3, 40),
    exact=st.booleans(),
    options=st.tuples(st.integers(1, 25), st.integers(1, 8), st.sampled_from([0.0, 0.3, 1.0])),
)
def test_agrees_with_the_dense_definition(seed, size, exact, options):
    rng = np.random.default_rng(seed)
    embedding = rng.normal(size=(size, 4)).astype(np.float32)
    if exact:  # all cosines are multiples of 1/2 without rounding: ties and duplicates
        points = np.concatenate([np.eye(4), -np.eye(4), [[1, 1, 1, 1], [1, -1, 1, -1]]])
        embedding = points[rng.integers(0, rng.integers(1, 11), size)]
    num_queries = max(1, size // 4)
    expected = dense_definition(embedding, num_queries, *options)
    assert re_rank(embedding, num_queries, options) == pytest.approx(expected, abs=1e-5)


def test_equal_embeddings_have_distances():
    assert np.isfinite(re_rank(np.ones((6, 3)), 2, (3, 2, 0.3))).all()


@pytest.mark.parametrize('max_bytes', [1, 8000, 10000])  # the last two keep cosines of queries
def test_memory_does_not_change_the_distances(max_bytes):
    embedding = np.random.default_rng(0).normal(size=(50, 4))
    whole = re_rank(embedding, 10, (8, 3, 0.3))
    assert re_rank(embedding, 10, (8, 3, 0.3), max_bytes=max_bytes) == pytest.approx(
        whole, abs=1e-6
    )


def test_a_torch_device_gives_the_same_distances():
    embedding = np.random.default_rng(0).normal(size=(50, 4))
    whole = re_rank(embedding, 10, (8, 3, 0.3))
    assert re_rank(embedding, 10, (8, 3, 0.3), device='cpu') == pytest.approx(whole, abs=1e-6)


def test_queries_in_the_gallery_count_once_among_the_neighbours():
    embedding = np.random.default_rng(0).normal(size=(20, 4))
    rows = np.arange(20)
    both = np.concatenate(
        [block for _, block in re_ranked_blocks(embedding, rows[:5], rows, (4, 2, 0.3))]
    )
    assert both[:, 5:] == pytest.approx(re_rank(embedding, 5, (4, 2, 0.3)))


def test_neighbours_at_equal_distance_keep_their_order():
    points = np.array([[1, 0], [1, 1], [1, 1], [1, 1], [0, 1]])
    unit = take_unit_rows(points, np.arange(5))
    near = find_neighbours(unit, 3)
    assert near.rows[0].tolist() == [0, 1, 2]
    assert near.rows[4].tolist() == [4, 1, 2]
    assert near.farthest == pytest.approx([1] + [1 - np.sqrt(0.5)] * 3 + [1])


def test_cosines_of_chosen_rows_are_kept():
    unit = take_unit_rows(np.random.default_rng(0).normal(size=(30, 4)), np.arange(30))
    near = find_neighbours(unit, 3, max_bytes=2000, kept_rows=[7, 29, 0])
    assert near.kept == pytest.approx(unit[[7, 29, 0]] @ unit.T, abs=1e-6)


@pytest.mark.parametrize(('options', 'row'), [((20, 6, 0.3), 2), ((50, 15, 0.3), 3)])
def test_published_numbers_are_close(options, row):
    golden = np.load(PUBLISHED)
    embedding = np.concatenate([golden['query_feat'], golden['gallery_feat']])
    distances = re_rank(embedding, len(golden['query_feat']), options)
    key = f'rerank_dist_{options[0]}_{options[1]}'
    if key in golden:  # the published code rounds to half precision
        assert distances == pytest.approx(golden[key], abs=5e-3)
    matches = rank_matches(
        distances,
        golden['query_pid'],
        golden['gallery_pid'],
        golden['query_cam'],
        golden['gallery_cam'],
    )
    assert mean_average_precision(matches) == pytest.approx(golden['mAP'][row], abs=0.003)


@pytest.mark.parametrize('options', [(0, 6, 0.3), (20, 0, 0.3), (20, 6, 1.5)])
def test_options_out_of_range_are_named(options):
    with pytest.raises(ValueError, match=f'got k1 {options[0]}, k2 {options[1]}'):
        check_options(options)


def test_two_options_are_too_few():
    with pytest.raises(ValueError, match=r'three numbers .* got \(20, 6\)'):
        check_options((20, 6))
