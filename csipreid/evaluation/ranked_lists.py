"""Ranked lists to look at: the nearest tracklets of each query, right or wrong."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from csipreid.evaluation.protocol import Protocol
from csipreid.evaluation.re_ranking import re_ranked_blocks
from csipreid.evaluation.similarity import similarity_blocks
from csipreid.evaluation.tracklet_set import TrackletSet

Verdict = Literal['right', 'wrong', 'same camera', 'junk']


class RankedList(NamedTuple):
    """The nearest tracklets of one query.

    Attributes:
        query: Row of the query in the tracklet set.
        rows: Rows of the tracklets, nearest first, int64, (K,).
        distances: 1 - cosine in [0, 2], or the re-ranked distance in [0, 1],
            float32, (K,).
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

    What the protocol leaves out is listed where it would stand, but at most
    ``top`` such tracklets; with re-ranking junk is not listed, as it is not
    compared at all.

    Args:
        tracklets: Queries and gallery.
        protocol: Rules of the evaluation.
        top: Number of ranked tracklets of each query.
        query_rows: Rows of the queries to list, int64; None for all but junk.
        rerank: (k1, k2, lambda) of k-reciprocal re-ranking; None for none.
        max_bytes: Memory for the distances of a block of queries.
    """
    pid, camid = tracklets.pid, tracklets.camid
    junk = np.zeros(len(pid), bool) if protocol.junk_pid is None else pid == protocol.junk_pid
    in_gallery = np.full(len(pid), protocol.query_in_gallery) | ~tracklets.is_query
    all_queries = np.flatnonzero(tracklets.is_query & ~junk)
    if rerank is None:
        queries = all_queries if query_rows is None else query_rows
        gallery = np.flatnonzero(in_gallery)
        blocks = similarity_blocks(tracklets.embedding, queries, gallery, max_bytes)
        blocks = ((rows, 1 - cosines) for rows, cosines in blocks)
    else:  # all queries are neighbours of one another
        queries = all_queries
        gallery = np.flatnonzero(in_gallery & ~junk)
        blocks = re_ranked_blocks(
            tracklets.embedding, queries, gallery, rerank, max_bytes=max_bytes
        )
    wanted = set(queries.tolist() if query_rows is None else np.asarray(query_rows).tolist())
    for rows, distances in blocks:
        for query, row in zip(queries[rows].tolist(), distances, strict=True):
            if query not in wanted:
                continue
            order = np.argsort(row, kind='stable')
            order = order[gallery[order] != query]
            near = gallery[order]
            same_pid = pid[near] == pid[query]
            same_camera = same_pid & (camid[near] == camid[query])
            if protocol.same_camera == 'keep':
                same_camera[:] = False
            left_out = same_camera | junk[near]
            shown = np.cumsum(~left_out) <= top
            shown &= ~left_out | (np.cumsum(left_out) <= top)
            verdicts: list[Verdict] = [
                'junk' if bad else 'same camera' if own else 'right' if good else 'wrong'
                for bad, own, good in zip(
                    junk[near[shown]], same_camera[shown], same_pid[shown], strict=True
                )
            ]
            yield RankedList(query, near[shown], row[order[shown]], verdicts)
