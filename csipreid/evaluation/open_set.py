"""Open-set identification: find a person who may not be in the gallery at all.

A query is answered with its most similar gallery tracklet if that reaches a
threshold, and rejected otherwise. Every query also plays the stranger: with its
own matches out of the gallery, any answer is a false alarm.

Source: Grother et al., "Face Recognition Vendor Test Part 2: Identification",
NISTIR 8271 (detection and identification rate, false positive identification
rate).
"""

from typing import NamedTuple

import numpy as np

from csipreid.evaluation.distances import split_rows
from csipreid.evaluation.protocol import Protocol
from csipreid.evaluation.ranking import find_kin
from csipreid.evaluation.similarity import similarity_blocks
from csipreid.evaluation.tracklet_set import TrackletSet


class BestSimilarities(NamedTuple):
    """Similarity of each query to the nearest of each kind; -inf if there is none.

    Attributes:
        match: To the nearest correct match, float32, (Q,).
        other: To the nearest tracklet of another person, float32, (Q,).
    """

    match: np.ndarray
    other: np.ndarray


def best_similarities(
    tracklets: TrackletSet, protocol: Protocol, max_bytes: int = 1 << 30
) -> BestSimilarities:
    """Compare each query with what the protocol ranks and keep the nearest.

    Args:
        tracklets: Queries and gallery, embeddings finite.
        protocol: Rules of the evaluation; its average precision plays no part.
        max_bytes: Memory for the similarities of a block of queries.
    """
    query_rows, gallery_rows = split_rows(tracklets, protocol)
    match = np.full(len(query_rows), -np.inf, np.float32)
    other = match.copy()
    blocks = similarity_blocks(
        tracklets.embedding, query_rows, gallery_rows, max_bytes, protocol.metric
    )
    for rows, block in blocks:
        queries = query_rows[rows]
        kin = find_kin(tracklets.pid[queries], tracklets.pid[gallery_rows])
        owners = np.repeat(np.arange(len(queries)), kin.counts)
        own = block[owners, kin.columns]
        if protocol.same_camera == 'drop':
            camids = tracklets.camid[gallery_rows][kin.columns]
            own[camids == tracklets.camid[queries][owners]] = -np.inf
        np.maximum.at(match[rows], owners, own)
        block[owners, kin.columns] = -np.inf
        other[rows] = block.max(axis=1)
    return BestSimilarities(match, other)


def identification_rate_at(
    best: BestSimilarities, false_positive_rate: float
) -> tuple[float, float]:
    """Return the detection and identification rate within a false alarm rate.

    It is the share of the queries with a match whose nearest tracklet is one,
    nearer than every other person's, and reaches the threshold. The threshold,
    also returned, is the lowest at which at most ``false_positive_rate`` of all
    queries, as strangers, raise an alarm.

    Args:
        best: Nearest similarities of each query.
        false_positive_rate: Allowed share of false alarms, in [0, 1].

    Raises:
        ValueError: If the rate is outside [0, 1] or no query has a match.
    """
    if not 0 <= false_positive_rate <= 1:
        raise ValueError(f'false_positive_rate must be in [0, 1], got {false_positive_rate}')
    known = best.match > -np.inf
    if not known.any():
        raise ValueError(f'none of the {len(known)} queries has a match; check pid and camid')
    allowed = int(np.floor(false_positive_rate * len(best.other) + 1e-9))
    alarms = np.sort(best.other)[::-1]
    threshold = -np.inf if allowed >= len(alarms) else np.nextafter(alarms[allowed], np.inf)
    found = (best.match > best.other) & (best.match >= threshold)
    return float(found[known].mean()), float(threshold)
