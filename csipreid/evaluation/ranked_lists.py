"""Ranked lists to look at: the nearest tracklets of each query, right or wrong."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from csipreid.evaluation.distances import distance_blocks, junk_rows, split_rows
from csipreid.evaluation.protocol import Protocol
from csipreid.evaluation.similarity import similarity_blocks
from csipreid.evaluation.tracklet_set import TrackletSet

Verdict = Literal['right', 'wrong', 'same camera', 'junk']


class RankedList(NamedTuple):
    """The nearest tracklets of one query.

    Attributes:
        query: Row of the query in the tracklet set.
        rows: Rows of the tracklets, nearest first, int64, (K,).
        distances: 1 - cosine in [0, 2], the Euclidean distance, or the re-ranked
            distance in [0, 1], float32, (K,).
        verdicts: One for each; 'same camera' and 'junk' take no rank.
    """

    query: int
    rows: np.ndarray
    distances: np.ndarray
    verdicts: list[Verdict]


def ranked_lists(
    tracklets: TrackletSet,
    protocol: Protocol,
    top: int = 10,
    *,
    query_rows: np.ndarray | None = None,
    rerank: tuple[int, int, float] | None = None,
    max_bytes: int = 1 << 30,
) -> Iterator[RankedList]:
    """Yield each query's list down to its ``top``-th ranked tracklet.

    Ranks are those of :func:`csipreid.evaluation.retrieval.evaluate_retrieval`
    with the same arguments: both take their distances from one source. What the
    protocol leaves out is listed where it would stand, but at most ``top`` such
    tracklets; with re-ranking junk is not listed, as it is not compared at all.

    Args:
        tracklets: Queries and gallery.
        protocol: Rules of the evaluation.
        top: Number of ranked tracklets of each query.
        query_rows: Rows of the queries to list, int64; None for all but junk.
        rerank: (k1, k2, lambda) of k-reciprocal re-ranking; None for none.
        max_bytes: Memory for the distances of a block of queries.
    """
    pid, camid = tracklets.pid, tracklets.camid
    is_junk = junk_rows(tracklets, protocol)
    in_gallery = np.full(len(pid), protocol.query_in_gallery) | ~tracklets.is_query
    junk = np.flatnonzero(is_junk & in_gallery & (rerank is None))
    queries, gallery = split_rows(tracklets, protocol)
    listed = np.concatenate([gallery, junk])
    wanted = np.ones(len(queries), bool) if query_rows is None else np.isin(queries, query_rows)
    blocks = distance_blocks(tracklets, protocol, rerank=rerank, max_bytes=max_bytes, wanted=wanted)
    for rows, distances in blocks:
        chosen = np.flatnonzero(wanted[rows])
        to_junk = _to_junk(tracklets, protocol, queries[rows][chosen], junk, max_bytes)
        for query, near_row, junk_row in zip(
            queries[rows][chosen].tolist(), distances[chosen], to_junk, strict=True
        ):
            row = np.concatenate([near_row, junk_row])
            order = np.lexsort((listed, row))  # equal distances in the order of the rows
            order = order[listed[order] != query]
            near = listed[order]
            same_pid = pid[near] == pid[query]
            same_camera = same_pid & (camid[near] == camid[query])
            if protocol.same_camera == 'keep':
                same_camera[:] = False
            left_out = same_camera | is_junk[near]
            shown = np.cumsum(~left_out) <= top
            shown &= ~left_out | (np.cumsum(left_out) <= top)
            verdicts: list[Verdict] = [
                'junk' if bad else 'same camera' if own else 'right' if good else 'wrong'
                for bad, own, good in zip(
                    is_junk[near[shown]], same_camera[shown], same_pid[shown], strict=True
                )
            ]
            found = row[order[shown]]
            if rerank is None and protocol.metric == 'cosine':
                found = 1 + found  # what ranks is the negative cosine
            yield RankedList(query, near[shown], found, verdicts)


def _to_junk(
    tracklets: TrackletSet, protocol: Protocol, queries: np.ndarray, junk: np.ndarray, limit: int
) -> np.ndarray:
    """Compare some queries (C,) with the junk (J,), which no evaluation does, (C, J)."""
    if not len(junk) or not len(queries):
        return np.empty((len(queries), len(junk)), np.float32)
    blocks = similarity_blocks(tracklets.embedding, queries, junk, limit, protocol.metric)
    return -np.concatenate([block.copy() for _, block in blocks])
