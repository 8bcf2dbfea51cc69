import numpy as np
import pytest

from csipreid.evaluation import similarity
from csipreid.evaluation.distances import check_rerank, distance_blocks, split_rows
from csipreid.evaluation.protocol import get_protocol
from csipreid.evaluation.tracklet_set import TrackletSet


def example(size=90, num_queries=40):
    rng = np.random.default_rng(2)
    return TrackletSet(
        rng.normal(size=(size, 33)).astype(np.float32),
        rng.integers(-1, 9, size),
        rng.integers(0, 4, size),
        np.arange(size) < num_queries,
    )


@pytest.mark.parametrize('rules', ['tfclip', dict(base='csip', metric='euclidean')])
def test_unwanted_queries_change_no_bit_of_the_others(monkeypatch, rules):
    monkeypatch.setattr(similarity, '_QUERY_BLOCK', 7)
    tracklets, protocol = example(), get_protocol(rules)
    query_rows, gallery_rows = split_rows(tracklets, protocol)
    whole = np.concatenate([block.copy() for _, block in distance_blocks(tracklets, protocol)])
    assert whole.shape == (len(query_rows), len(gallery_rows))
    wanted = np.isin(np.arange(len(query_rows)), (3, 30))
    blocks = [(r, b.copy()) for r, b in distance_blocks(tracklets, protocol, wanted=wanted)]
    assert [rows.start for rows, _ in blocks] == [0, 28]
    for rows, block in blocks:
        assert (block == whole[rows]).all()


def test_junk_neither_queries_nor_is_ranked():
    tracklets = example()
    for rows in split_rows(tracklets, get_protocol('tfclip')):
        assert -1 not in tracklets.pid[rows]
    assert -1 in tracklets.pid[split_rows(tracklets, get_protocol('ilids'))[1]]


def test_euclidean_distances_are_not_re_ranked():
    assert check_rerank(None, get_protocol(dict(base='csip', metric='euclidean'))) is None
    assert check_rerank([20, 6, 0.3], get_protocol('csip')) == (20, 6, 0.3)
    with pytest.raises(ValueError, match="their cosine, the protocol by 'euclidean'"):
        check_rerank([20, 6, 0.3], get_protocol(dict(base='csip', metric='euclidean')))
