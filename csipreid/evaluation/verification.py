"""Verification: are two tracklets of the same person? ROC, EER and thresholds.

A pair is accepted if its similarity (the cosine, or the negative Euclidean
distance, as the protocol says) reaches the threshold. Genuine pairs show
one person, impostor pairs two.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from csipreid.evaluation.distances import split_rows
from csipreid.evaluation.protocol import Protocol
from csipreid.evaluation.similarity import similarity_blocks
from csipreid.evaluation.tracklet_set import TrackletSet


class RocCurve(NamedTuple):
    """Error rates at every threshold at which the true positive rate changes.

    Between two of these thresholds only the false positive rate could change,
    and upwards, so no better point is missing.

    Attributes:
        thresholds: Similarities of the genuine pairs, descending, without
            repetition, float64, (K,).
        true_positive_rate: Share of genuine pairs accepted, in (0, 1],
            ascending, float64, (K,).
        false_positive_rate: Share of impostor pairs accepted, in [0, 1],
            ascending, float64, (K,).
        false_positive_rate_above: The same for similarities *above* the
            threshold only, float64, (K,).
        num_genuine: Number of genuine pairs.
        num_impostor: Number of impostor pairs.
    """

    thresholds: np.ndarray
    true_positive_rate: np.ndarray
    false_positive_rate: np.ndarray
    false_positive_rate_above: np.ndarray
    num_genuine: int
    num_impostor: int


def roc_curve(genuine: np.ndarray, impostor_blocks: Iterable[np.ndarray]) -> RocCurve:
    """Build the curve; impostors come in blocks, of which only counts are kept.

    Args:
        genuine: Similarities of the genuine pairs, float, (P,).
        impostor_blocks: Similarities of the impostor pairs, float, any shapes.

    Raises:
        ValueError: If there is no genuine or no impostor pair.
    """
    thresholds, tally = np.unique(genuine, return_counts=True)
    reached = np.zeros(len(thresholds), np.int64)
    above = np.zeros(len(thresholds), np.int64)
    num_impostor = 0
    for block in impostor_blocks:
        ordered = np.sort(block, axis=None)
        reached += ordered.size - np.searchsorted(ordered, thresholds, side='left')
        above += ordered.size - np.searchsorted(ordered, thresholds, side='right')
        num_impostor += ordered.size
    if not len(genuine) or not num_impostor:
        raise ValueError(
            'verification needs genuine and impostor pairs, '
            f'got {len(genuine)} and {num_impostor}; check pid and camid'
        )
    return RocCurve(
        thresholds=thresholds[::-1].astype(np.float64),
        true_positive_rate=np.cumsum(tally[::-1]) / len(genuine),
        false_positive_rate=reached[::-1] / num_impostor,
        false_positive_rate_above=above[::-1] / num_impostor,
        num_genuine=len(genuine),
        num_impostor=num_impostor,
    )


def verify_tracklets(
    tracklets: TrackletSet, protocol: Protocol, max_bytes: int = 1 << 30
) -> RocCurve:
    """Compare each query with each gallery tracklet that the protocol ranks.

    Pairs of the same identity and camera are left out under
    ``same_camera='drop'``, as in retrieval. With the queries in the gallery, a
    pair of queries counts in both directions.

    Args:
        tracklets: Queries and gallery, embeddings finite.
        protocol: Rules of the evaluation; its average precision plays no part.
        max_bytes: Memory for the similarities of a block of queries.

    Raises:
        ValueError: If there is no genuine or no impostor pair.
    """
    query_rows, gallery_rows = split_rows(tracklets, protocol)
    pid, camid = tracklets.pid, tracklets.camid
    drop = protocol.same_camera == 'drop'
    genuine = []
    blocks = similarity_blocks(
        tracklets.embedding, query_rows, gallery_rows, max_bytes, protocol.metric
    )
    for rows, block in blocks:
        same = pid[query_rows[rows], None] == pid[gallery_rows]  # (C, G)
        if drop:
            same &= camid[query_rows[rows], None] != camid[gallery_rows]
        genuine.append(block[same])

    def impostors() -> Iterable[np.ndarray]:
        blocks = similarity_blocks(
            tracklets.embedding, query_rows, gallery_rows, max_bytes, protocol.metric
        )
        for rows, block in blocks:
            yield block[pid[query_rows[rows], None] != pid[gallery_rows]]

    return roc_curve(np.concatenate(genuine), impostors())


def equal_error_rate(roc: RocCurve) -> tuple[float, float]:
    """Return the equal error rate in [0, 1] and a threshold at which to use it.

    The rate is where the curve, its points joined by straight lines, meets
    'false positives = false negatives'. The threshold is the similarity of the
    genuine pair at or just above that place.
    """
    # The curve runs from (0, 0), then for each threshold to the impostors above
    # it, then, with the genuine pairs at it, through it, and at last to (1, 1).
    x = np.stack([roc.false_positive_rate_above, roc.false_positive_rate], axis=1).ravel()
    y = np.repeat(np.concatenate([[0.0], roc.true_positive_rate]), 2)[1:-1]
    x, y = np.concatenate([[0.0], x, [1.0]]), np.concatenate([[0.0], y, [1.0]])
    excess = x + y - 1  # false positives less false negatives, from -1 up to 1
    end = int(np.argmax(excess >= 0))
    share = -excess[end - 1] / (excess[end] - excess[end - 1])
    rate = x[end - 1] + share * (x[end] - x[end - 1])
    return float(rate), float(roc.thresholds[max(0, (end - 2) // 2)])


def true_positive_rate_at(roc: RocCurve, false_positive_rate: float) -> tuple[float, float]:
    """Return the largest true positive rate within a false positive rate, and its threshold.

    The rate is 0 and the threshold infinite if even the strictest threshold
    accepts too many impostors.

    Args:
        roc: Error rates.
        false_positive_rate: Allowed share of accepted impostors, in [0, 1].

    Raises:
        ValueError: If the rate is outside [0, 1].
    """
    if not 0 <= false_positive_rate <= 1:
        raise ValueError(f'false_positive_rate must be in [0, 1], got {false_positive_rate}')
    allowed = int(np.searchsorted(roc.false_positive_rate, false_positive_rate, side='right'))
    if allowed == 0:
        return 0.0, float('inf')
    return float(roc.true_positive_rate[allowed - 1]), float(roc.thresholds[allowed - 1])
