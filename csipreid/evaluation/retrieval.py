"""Retrieval of query tracklets from a gallery: embeddings in, measures and card out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from csipreid.evaluation.card import EvaluationCard, fill_card
from csipreid.evaluation.protocol import Protocol
from csipreid.evaluation.ranking import (
    MatchRanks,
    average_precisions,
    cmc,
    join_ranks,
    mean_average_precision,
    mean_inverse_negative_penalty,
    place_matches,
)
from csipreid.evaluation.tracklet_set import TrackletSet

# Gallery rows that are converted to float32 and multiplied at a time.
_GALLERY_BLOCK = 1 << 16
# Bytes that ranking holds for each distance: itself, its sorted copy, two masks.
_BYTES_PER_DISTANCE = 12


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
    test_mode: str | None = None,
    max_bytes: int = 256 << 20,
) -> Retrieval:
    """Rank the gallery of each query by the cosine of the embeddings.

    The gallery keeps the order of the rows, which decides ties; with the
    queries in the gallery these stand where they stand in the set.

    Args:
        tracklets: Queries and gallery.
        protocol: Rules of the evaluation.
        test_mode: How clips stood for tracklets, for the card.
        max_bytes: Memory for the distances of a block of queries. The
            embeddings come on top of it, in float32 at most 65,536 at a time.

    Raises:
        ValueError: If the evaluation could not mean anything: no query, no
            gallery, embeddings that are not finite, a single camera, or no
            query with a match. The counts are in the message.
    """
    query_rows, gallery_rows = split_rows(tracklets, protocol)
    check_embeddings(tracklets)
    card = fill_card(tracklets, protocol, query_rows, gallery_rows, test_mode)
    matches = join_ranks(
        [
            _place(tracklets, protocol, query_rows[rows], gallery_rows, block)
            for rows, block in similarity_blocks(
                tracklets.embedding, query_rows, gallery_rows, max_bytes
            )
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
    finite = np.concatenate(
        [
            np.isfinite(tracklets.embedding[start : start + _GALLERY_BLOCK]).all(axis=1)
            for start in range(0, len(tracklets.embedding), _GALLERY_BLOCK)
        ]
    )
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


def similarity_blocks(
    embedding: np.ndarray, query_rows: np.ndarray, gallery_rows: np.ndarray, max_bytes: int
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield cosines of blocks of queries with the whole gallery.

    Args:
        embedding: Float, any precision, shape (N, D).
        query_rows: Rows that query, int64, (Q,).
        gallery_rows: Rows that are ranked, int64, (G,).
        max_bytes: Memory for a block and what ranking makes of it.

    Yields:
        Which queries, and their cosines in [-1, 1], float32, (C, G).
    """
    step = max(1, max_bytes // (_BYTES_PER_DISTANCE * len(gallery_rows)))
    fits = len(gallery_rows) <= _GALLERY_BLOCK
    resident = _unit(embedding[gallery_rows]) if fits else None
    for start in range(0, len(query_rows), step):
        queries = _unit(embedding[query_rows[start : start + step]])
        if resident is not None:
            block = queries @ resident.T
        else:
            block = np.empty((len(queries), len(gallery_rows)), np.float32)
            for first in range(0, len(gallery_rows), _GALLERY_BLOCK):
                columns = slice(first, first + _GALLERY_BLOCK)
                np.matmul(queries, _unit(embedding[gallery_rows[columns]]).T, out=block[:, columns])
        yield slice(start, start + len(queries)), block


def _place(
    tracklets: TrackletSet,
    protocol: Protocol,
    query_rows: np.ndarray,
    gallery_rows: np.ndarray,
    similarities: np.ndarray,
) -> MatchRanks:
    """Place the matches of a block of queries, most similar first."""
    same_pid = tracklets.pid[query_rows, None] == tracklets.pid[gallery_rows]  # (C, G)
    distances = np.negative(similarities, out=similarities)
    if protocol.same_camera == 'keep':
        return place_matches(distances, same_pid, None)
    same_camera = tracklets.camid[query_rows, None] == tracklets.camid[gallery_rows]
    left_out = same_pid & same_camera
    return place_matches(distances, same_pid & ~same_camera, left_out)


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Scale the rows to unit length in float32; zero rows stay zero."""
    vectors = np.asarray(vectors, np.float32)
    norms = np.sqrt(np.einsum('nd,nd->n', vectors, vectors))[:, None]
    return vectors / np.maximum(norms, 1e-12)
