"""The distances by which queries rank the gallery: one source for measures and pictures."""

from collections.abc import Iterator, Sequence

import numpy as np

from csipreid.evaluation.protocol import Protocol
from csipreid.evaluation.re_ranking import (
    ReRankingOptions,
    check_options,
    re_ranked_blocks,
)
from csipreid.evaluation.similarity import similarity_blocks
from csipreid.evaluation.tracklet_set import TrackletSet


def split_rows(tracklets: TrackletSet, protocol: Protocol) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that query (Q,) and the rows that are ranked (G,), int64.

    Raises:
        ValueError: If one of the two is empty.
    """
    named = ~junk_rows(tracklets, protocol)
    for subset, chosen in (('query', tracklets.is_query), ('gallery', ~tracklets.is_query)):
        if not (chosen & named).any():
            raise ValueError(
                f'the test set holds no {subset} tracklet besides {np.count_nonzero(chosen)} junk '
                f'ones (of {len(tracklets.pid)} tracklets, '
                f'{np.count_nonzero(tracklets.is_query)} are queries); '
                'check the subset of the test set'
            )
    in_gallery = named if protocol.query_in_gallery else named & ~tracklets.is_query
    return np.flatnonzero(tracklets.is_query & named), np.flatnonzero(in_gallery)


def junk_rows(tracklets: TrackletSet, protocol: Protocol) -> np.ndarray:
    """Return which tracklets are junk under the protocol, bool, (N,)."""
    if protocol.junk_pid is None:
        return np.zeros(len(tracklets.pid), bool)
    return tracklets.pid == protocol.junk_pid


def distance_blocks(
    tracklets: TrackletSet,
    protocol: Protocol,
    *,
    rerank: tuple[int, int, float] | None = None,
    max_bytes: int = 1 << 30,
    device: str | None = None,
    wanted: np.ndarray | None = None,
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield blocks of the queries of :func:`split_rows` with the gallery of it.

    Equal arguments give equal numbers, to the last bit, whichever queries are
    wanted: who asks for the same ranking gets the same.

    Args:
        tracklets: Queries and gallery.
        protocol: Rules of the evaluation.
        rerank: (k1, k2, lambda) of k-reciprocal re-ranking; None for none.
        max_bytes: Memory for the distances of a block.
        device: Torch device on which re-ranking compares all pairs; None for
            NumPy on the CPU.
        wanted: Queries that matter, bool, (Q,); blocks without any may be left
            out. None wants all.

    Yields:
        Which queries, and numbers that grow with distance, float32, (C, G):
        negative cosines, Euclidean distances, or re-ranked distances in [0, 1].
        The array is the caller's to change until the next block is asked for.

    Raises:
        ValueError: As :func:`check_rerank` and :func:`split_rows` do.
    """
    query_rows, gallery_rows = split_rows(tracklets, protocol)
    options = check_rerank(rerank, protocol)
    if options is not None:
        yield from re_ranked_blocks(
            tracklets.embedding,
            query_rows,
            gallery_rows,
            options,
            max_bytes=max_bytes,
            device=device,
        )
        return
    blocks = similarity_blocks(
        tracklets.embedding, query_rows, gallery_rows, max_bytes, protocol.metric, wanted
    )
    for rows, similarities in blocks:
        # Not 1 - cosine: that would round away differences between small cosines.
        yield rows, np.negative(similarities, out=similarities)


def check_rerank(rerank: Sequence[float] | None, protocol: Protocol) -> ReRankingOptions | None:
    """Name and check the options of re-ranking; None without it.

    Raises:
        ValueError: If they are out of their range or the protocol compares by
            Euclidean distance.
    """
    if rerank is None:
        return None
    if protocol.metric != 'cosine':
        raise ValueError(
            're-ranking compares embeddings by their cosine, the protocol by '
            f'{protocol.metric!r}; leave one of the two out'
        )
    return check_options(rerank)
