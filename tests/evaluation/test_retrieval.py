import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csipreid.evaluation import similarity
from csipreid.evaluation.protocol import get_protocol
from csipreid.evaluation.ranking import rank_matches
from csipreid.evaluation.retrieval import evaluate_retrieval
from csipreid.evaluation.tracklet_set import TrackletSet

RNG = np.random.default_rng(0)


def tracklets(pid, camid, num_queries, dim=4):
    """Small whole-numbered embeddings on a circle, so that many cosines are equal."""
    return TrackletSet(
        embedding=RNG.integers(1, 3, (len(pid), dim)).astype(np.float32),
        pid=np.array(pid),
        camid=np.array(camid),
        is_query=np.arange(len(pid)) < num_queries,
    )


def example():
    pid = [1, 1, 2, 3, -1, 1, 1, 2, 0, 0, -1, 4]
    camid = [0, 1, 0, 0, 0, 1, 2, 0, 1, 2, 2, 2]
    return tracklets(pid, camid, 5)


def test_counts_of_the_card():
    card = evaluate_retrieval(example(), get_protocol('csip')).card
    assert card.counts() == dict(
        queries=5,
        valid_queries=2,
        skipped_junk=1,
        skipped_absent=1,
        skipped_same_camera=1,
        gallery=6,
        junk=1,
        distractors=2,
        cameras=3,
    )


def test_queries_in_the_gallery_are_counted():
    card = evaluate_retrieval(example(), get_protocol('tfclip')).card
    assert (card.gallery, card.junk, card.valid_queries) == (10, 2, 2)
    assert (card.skipped_absent, card.skipped_same_camera) == (1, 1)


def test_card_names_protocol_and_counts():
    text = str(evaluate_retrieval(example(), get_protocol('csip'), test_mode='dense').card)
    assert "'csip'" in text
    assert '5, valid 2; skipped: 1 junk, 1 without' in text
    assert 'dense' in text
    assert 're-ranking   off' in text


def test_identity_0_is_no_distractor_when_it_queries():
    data = tracklets([0, 0, 1], [0, 1, 1], 1)
    assert evaluate_retrieval(data, get_protocol('csip')).card.distractors == 0


@settings(max_examples=60, deadline=None)
@given(data=st.data(), name=st.sampled_from(['csip', 'tfclip', 'mars_official', 'ilids']))
def test_ranks_are_those_of_the_rows_in_order(data, name):
    size = data.draw(st.integers(4, 16))
    pid = data.draw(st.lists(st.integers(-1, 3), min_size=size, max_size=size))
    camid = data.draw(st.lists(st.integers(0, 2), min_size=size, max_size=size))
    # One pair that always counts, and exact duplicates.
    chosen = tracklets([9, *pid, 9], [0, *camid, 1], data.draw(st.integers(1, size)), dim=2)
    protocol = get_protocol(name)
    result = evaluate_retrieval(chosen, protocol)
    named = chosen.pid != -1 if protocol.junk_pid == -1 else np.ones(size + 2, bool)
    query = np.flatnonzero(named & chosen.is_query)
    gallery = np.flatnonzero(named & (protocol.query_in_gallery | ~chosen.is_query))
    unit = chosen.embedding / np.linalg.norm(chosen.embedding, axis=1, keepdims=True)
    expected = rank_matches(
        -(unit[query] @ unit[gallery].T),
        chosen.pid[query],
        chosen.pid[gallery],
        chosen.camid[query],
        chosen.camid[gallery],
    )
    assert result.matches.counts.tolist() == expected.counts.tolist()
    assert result.card.valid_queries == np.count_nonzero(expected.counts)
    skipped = result.card.skipped_junk + result.card.skipped_absent
    skipped += result.card.skipped_same_camera
    assert result.card.valid_queries + skipped == result.card.queries


@pytest.mark.parametrize('block', [2, 1 << 16])
def test_neither_memory_nor_gallery_blocks_change_the_measures(monkeypatch, block):
    rng = np.random.default_rng(3)
    data = TrackletSet(
        rng.normal(size=(60, 8)).astype(np.float32),
        np.arange(60) % 7,
        np.arange(60) % 4,
        np.arange(60) < 20,
    )
    whole = evaluate_retrieval(data, get_protocol('tfclip')).measures()
    monkeypatch.setattr(similarity, '_GALLERY_BLOCK', block)
    chunked = evaluate_retrieval(data, get_protocol('tfclip'), max_bytes=1).measures()
    assert chunked == pytest.approx(whole, abs=1e-6)


def test_half_precision_on_disk_is_scored_like_float32(tmp_path):
    data = example()
    np.save(tmp_path / 'e.npy', data.embedding.astype(np.float16))
    mapped = np.load(tmp_path / 'e.npy', mmap_mode='r')
    half = dataclasses.replace(data, embedding=mapped)
    protocol = get_protocol('csip')
    assert (
        evaluate_retrieval(half, protocol).measures()
        == evaluate_retrieval(data, protocol).measures()
    )


def test_infinite_embeddings_are_counted_and_located():
    data = example()
    data.embedding[[0, 7]] = np.inf
    with pytest.raises(ValueError, match=r'1 of 5 queries and 1 of 7 gallery .*first: row 0'):
        evaluate_retrieval(data, get_protocol('csip'))


def test_no_match_shows_the_counts():
    data = tracklets([1, 2, 1, 3], [0, 1, 0, 1], 2)
    with pytest.raises(ValueError, match=r'under another camera(.|\n)*1 without(.|\n)*1 with it'):
        evaluate_retrieval(data, get_protocol('csip'))


def test_a_gallery_of_junk_is_empty():
    data = tracklets([1, -1, -1], [0, 1, 2], 1)
    with pytest.raises(ValueError, match='no gallery tracklet besides 2 junk'):
        evaluate_retrieval(data, get_protocol('csip'))


def test_one_camera_is_allowed_when_its_matches_count():
    data = tracklets([1, 1, 2], [0, 0, 0], 1)
    kept = get_protocol(dict(base='csip', same_camera='keep'))
    assert evaluate_retrieval(data, kept).card.valid_queries == 1
    with pytest.raises(ValueError, match='come from one camera'):
        evaluate_retrieval(data, get_protocol('csip'))


def test_euclidean_features_are_scored_as_they_are():
    rng = np.random.default_rng(4)
    pid, camid = np.arange(60) % 10, np.arange(60) // 10 % 3
    # The person is in the length of the vector, which a cosine does not see.
    embedding = rng.normal(size=(60, 6)) * 0.1
    embedding[:, 0] += 5 + pid
    data = TrackletSet(embedding, pid, camid, np.arange(60) < 20)
    measured = {}
    for metric in ('cosine', 'euclidean'):
        rules = get_protocol(dict(base='ilids', metric=metric))
        result = evaluate_retrieval(data, rules)
        measured[metric] = result.measures()['mAP']
    distances = np.linalg.norm(embedding[:20, None] - embedding[None, 20:], axis=2)
    expected = rank_matches(distances, pid[:20], pid[20:], camid[:20], camid[20:])
    assert result.matches.ranks.tolist() == expected.ranks.tolist()
    assert measured['euclidean'] > 90 > 60 > measured['cosine']
    assert 'Euclidean distance' in str(result.card)


@pytest.mark.parametrize('metric', ['cosine', 'euclidean'])
@pytest.mark.parametrize('rows', [slice(None), slice(0, 5), slice(5, None)])
def test_a_subset_of_zeros_is_refused(rows, metric):
    data = example()
    data.embedding[rows] = 0
    zeros = len(data.pid[rows])
    with pytest.raises(ValueError, match=r'have an embedding of zeros .*nothing can be ranked'):
        evaluate_retrieval(data, get_protocol(dict(base='csip', metric=metric)))
    assert zeros in (12, 5, 7)


def test_some_zeros_are_counted_on_the_card():
    data = example()
    data.embedding[[1, 6, 9]] = 0
    card = evaluate_retrieval(data, get_protocol('csip')).card
    assert '1 of 5 queries and 2 of 7 gallery tracklets have an embedding of zeros' in str(card)
    euclidean = get_protocol(dict(base='csip', metric='euclidean'))
    assert evaluate_retrieval(data, euclidean).card.notices == ()  # there zeros are a place


def test_equal_embeddings_are_told():
    data = example()
    data.embedding[:] = [1, 2, 3, 4]
    assert 'all embeddings are equal' in str(evaluate_retrieval(data, get_protocol('csip')).card)


def test_values_beyond_float32_are_refused():
    data = dataclasses.replace(example(), embedding=example().embedding * np.float64(1e300))
    with pytest.raises(ValueError, match='must be finite'):
        evaluate_retrieval(data, get_protocol('csip'))
