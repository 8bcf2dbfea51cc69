"""Retrieval of query tracklets from a gallery: embeddings in, measures and card out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from csipreid.evaluation.card import EvaluationCard, fill_card
from csipreid.evaluation.distances import check_rerank, distance_blocks, split_rows
from csipreid.evaluation.protocol import Protocol
from csipreid.evaluation.ranking import (
    MatchRanks,
    average_precisions,
    cmc,
    find_kin,
    join_ranks,
    mean_average_precision,
    mean_inverse_negative_penalty,
    place_matches,
)
from csipreid.evaluation.tracklet_set import TrackletSet

# Rows that are checked for NaN at a time.
_CHECKED_ROWS = 1 << 10


@dataclass(frozen=True)
class Retrieval:
    """Result of one evaluation.

    Args:
        tracklets: What was ranked.
        card: Protocol and counts.
        matches: Ranks of the correct matches of the queries in ``query_rows``;
            its ``columns`` index ``gallery_rows``.
        query_rows: Rows of the tracklet set that query, int64, (Q,).
        gallery_rows: Rows of the tracklet set that are ranked, int64, (G,).
    """

    tracklets: TrackletSet
    card: EvaluationCard
    matches: MatchRanks
    query_rows: np.ndarray
    gallery_rows: np.ndarray

    def average_precisions(self) -> np.ndarray:
        """Return each query's AP under the protocol, in [0, 1], NaN if skipped, (Q,)."""
        return average_precisions(self.matches, self.card.protocol.average_precision)

    def measures(self, ranks: Sequence[int] = (1, 5, 10, 20)) -> dict[str, float]:
        """Return ``mAP``, ``rank-k`` and ``mINP``, in percent."""
        precision = self.card.protocol.average_precision
        scores = {'mAP': mean_average_precision(self.matches, precision)}
        scores |= {f'rank-{rank}': cmc(self.matches, rank) for rank in ranks}
        scores['mINP'] = mean_inverse_negative_penalty(self.matches)
        return {name: 100 * value for name, value in scores.items()}


def evaluate_retrieval(
    tracklets: TrackletSet,
    protocol: Protocol,
    *,
    rerank: tuple[int, int, float] | None = None,
    test_mode: str | None = None,
    max_bytes: int = 1 << 30,
    device: str | None = None,
) -> Retrieval:
    """Rank the gallery of each query by its protocol's metric, or re-ranked.

    The gallery keeps the order of the rows, which decides ties; with the
    queries in the gallery these stand where they stand in the set.

    Args:
        tracklets: Queries and gallery.
        protocol: Rules of the evaluation.
        rerank: (k1, k2, lambda) of k-reciprocal re-ranking; None for none.
        test_mode: How clips stood for tracklets, for the card.
        max_bytes: Memory for the distances of a block of queries. The
            embeddings come on top of it, in float32 at most 65,536 at a time,
            or all of them for re-ranking.
        device: Torch device on which re-ranking compares all pairs; None for
            NumPy on the CPU.

    Raises:
        ValueError: If the evaluation could not mean anything: no query, no
            gallery, embeddings that are not finite or all zero, a single
            camera, or no query with a match. The counts are in the message.
    """
    options = check_rerank(rerank, protocol)
    query_rows, gallery_rows = split_rows(tracklets, protocol)
    card = fill_card(tracklets, protocol, query_rows, gallery_rows)
    notices = check_embeddings(tracklets, protocol)
    card = replace(
        card,
        test_mode=test_mode,
        rerank=options,
        notices=(*card.notices, *notices),
    )
    blocks = distance_blocks(
        tracklets, protocol, rerank=options, max_bytes=max_bytes, device=device
    )
    matches = join_ranks(
        [
            _place(tracklets, protocol, query_rows[rows], gallery_rows, distances)
            for rows, distances in blocks
        ]
    )
    return Retrieval(tracklets, card, matches, query_rows, gallery_rows)


def check_embeddings(tracklets: TrackletSet, protocol: Protocol) -> tuple[str, ...]:
    """Refuse embeddings that no ranking could be made of.

    Returns:
        What is doubtful about them, for the card.

    Raises:
        ValueError: If some hold NaN or infinity (in float32), with the counts by
            subset and the first bad row; or if those of a subset are all zero,
            which has no direction to take a cosine of.
    """
    size = len(tracklets.embedding)
    finite, zero, equal = np.empty(size, bool), np.empty(size, bool), np.empty(size, bool)
    first = None
    for start in range(0, size, _CHECKED_ROWS):
        rows = slice(start, start + _CHECKED_ROWS)
        with np.errstate(over='ignore'):
            part = np.asarray(tracklets.embedding[rows], np.float32)
        first = part[:1] if first is None else first
        np.isfinite(part).all(axis=1, out=finite[rows])
        np.logical_not(part.any(axis=1), out=zero[rows])
        np.equal(part, first).all(axis=1, out=equal[rows])
    if not finite.all():
        raise ValueError(
            f'embeddings must be finite, got NaN or infinity in {_by_subset(tracklets, ~finite)} '
            f'(first: row {np.flatnonzero(~finite)[0]}); the model has diverged or overflowed'
        )
    empty = (
        f'{_by_subset(tracklets, zero)} have an embedding of zeros (first: row '
        f'{np.flatnonzero(zero)[0] if zero.any() else None})'
    )
    subsets = (tracklets.is_query, ~tracklets.is_query)
    if any(subset.any() and zero[subset].all() for subset in subsets):
        raise ValueError(f'{empty}, so nothing can be ranked; check the model and its weights')
    if equal.all():
        return ('all embeddings are equal: nothing but the order of the rows ranks them',)
    if zero.any() and protocol.metric == 'cosine':
        return (f'{empty}: zeros have no cosine and rank as if at right angles to all others',)
    return ()


def _by_subset(tracklets: TrackletSet, chosen: np.ndarray) -> str:
    """Count some tracklets by their subset, in words."""
    query = tracklets.is_query
    return (
        f'{np.count_nonzero(chosen & query)} of {np.count_nonzero(query)} queries and '
        f'{np.count_nonzero(chosen & ~query)} of {np.count_nonzero(~query)} gallery tracklets'
    )


def _place(
    tracklets: TrackletSet,
    protocol: Protocol,
    query_rows: np.ndarray,
    gallery_rows: np.ndarray,
    distances: np.ndarray,
) -> MatchRanks:
    """Place the matches of a block of queries, nearest first."""
    kin = find_kin(tracklets.pid[query_rows], tracklets.pid[gallery_rows])
    left_out = np.zeros(len(kin.columns), bool)
    if protocol.same_camera == 'drop':
        owner_camids = np.repeat(tracklets.camid[query_rows], kin.counts)
        left_out = tracklets.camid[gallery_rows][kin.columns] == owner_camids
    return place_matches(distances, kin, left_out)
