"""Retrieval of query tracklets from a gallery: embeddings in, measures and card out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from csipreid.evaluation.card import EvaluationCard, fill_card
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
from csipreid.evaluation.re_ranking import check_options, re_ranked_blocks
from csipreid.evaluation.similarity import similarity_blocks
from csipreid.evaluation.tracklet_set import TrackletSet

# Rows that are checked for NaN at a time.
_CHECKED_ROWS = 1 << 10


@dataclass(frozen=True)
class Retrieval:
    """Result of one evaluation.

    Args:
        card: Protocol and counts.
        matches: Ranks of the correct matches of the queries in ``query_rows``;
            its ``columns`` index ``gallery_rows``.
        query_rows: Rows of the tracklet set that query, int64, (Q,).
        gallery_rows: Rows of the tracklet set that are ranked, int64, (G,).
    """

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
    """Rank the gallery of each query by the cosine of the embeddings, or re-ranked.

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
            gallery, embeddings that are not finite, a single camera, or no
            query with a match. The counts are in the message.
    """
    query_rows, gallery_rows = split_rows(tracklets, protocol)
    check_embeddings(tracklets)
    card = fill_card(tracklets, protocol, query_rows, gallery_rows)
    card = replace(card, test_mode=test_mode, rerank=rerank and check_options(rerank))
    blocks = _distance_blocks(
        tracklets.embedding, query_rows, gallery_rows, card.rerank, max_bytes, device
    )
    matches = join_ranks(
        [
            _place(tracklets, protocol, query_rows[rows], gallery_rows, distances)
            for rows, distances in blocks
        ]
    )
    return Retrieval(card, matches, query_rows, gallery_rows)


def split_rows(tracklets: TrackletSet, protocol: Protocol) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that query (Q,) and the rows that are ranked (G,), int64.

    Raises:
        ValueError: If one of the two is empty.
    """
    named = (
        np.ones(len(tracklets.pid), bool)
        if protocol.junk_pid is None
        else tracklets.pid != protocol.junk_pid
    )
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


def check_embeddings(tracklets: TrackletSet) -> None:
    """Refuse embeddings that hold NaN or infinity.

    Raises:
        ValueError: With the counts by subset and the first bad row.
    """
    finite = np.empty(len(tracklets.embedding), bool)
    for start in range(0, len(finite), _CHECKED_ROWS):
        rows = slice(start, start + _CHECKED_ROWS)
        np.isfinite(tracklets.embedding[rows]).all(axis=1, out=finite[rows])
    if not finite.all():
        bad = ~finite
        raise ValueError(
            'embeddings must be finite, got NaN or infinity in '
            f'{np.count_nonzero(bad & tracklets.is_query)} of '
            f'{np.count_nonzero(tracklets.is_query)} queries and '
            f'{np.count_nonzero(bad & ~tracklets.is_query)} of '
            f'{np.count_nonzero(~tracklets.is_query)} gallery tracklets '
            f'(first: row {np.flatnonzero(bad)[0]}); the model has diverged or overflowed'
        )


def _distance_blocks(
    embedding: np.ndarray,
    query_rows: np.ndarray,
    gallery_rows: np.ndarray,
    rerank: tuple[int, int, float] | None,
    max_bytes: int,
    device: str | None,
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield blocks of queries and numbers that grow with distance, float32, (C, G)."""
    if rerank is not None:
        yield from re_ranked_blocks(
            embedding, query_rows, gallery_rows, rerank, max_bytes=max_bytes, device=device
        )
        return
    for rows, cosines in similarity_blocks(embedding, query_rows, gallery_rows, max_bytes):
        # Not 1 - cosine: that would round away differences between small cosines.
        yield rows, np.negative(cosines, out=cosines)


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
