"""Ranking measures of person re-identification, as pure functions.

Everything is derived from the *ranks of the correct matches*: the 1-based
places that a query's correct matches take in its gallery, nearest first, after
the left-out items are gone. Only the matches are placed, by counting what lies
before each of them, so no full ordering of the gallery is ever built.
"""

from typing import Literal, NamedTuple

import numpy as np


class MatchRanks(NamedTuple):
    """Places of the correct matches of Q queries.

    Attributes:
        ranks: 1-based, ascending within a query, queries one after the other,
            int64, shape (M,).
        counts: Number of correct matches of each query, int64, (Q,); they sum
            to M. A query with none takes part in no measure.
        columns: Gallery index of each match, int64, (M,).
    """

    ranks: np.ndarray
    counts: np.ndarray
    columns: np.ndarray


class Kin(NamedTuple):
    """Gallery items of the identity of each of Q queries.

    Attributes:
        columns: Gallery indices, ascending within a query, queries one after
            the other, int64, (S,).
        counts: Number of items of each query, int64, (Q,).
    """

    columns: np.ndarray
    counts: np.ndarray


def rank_matches(
    distances: np.ndarray,
    query_pids: np.ndarray,
    gallery_pids: np.ndarray,
    query_camids: np.ndarray,
    gallery_camids: np.ndarray,
    *,
    same_camera: Literal['drop', 'keep'] = 'drop',
) -> MatchRanks:
    """Place the correct matches of each query in its ranked gallery.

    Gallery items of the query's identity *and* camera are left out
    (cross-camera protocol: Zheng et al., "Scalable Person Re-identification",
    ICCV 2015). Items at equal distance keep the order of the gallery, as a
    stable sort would leave them.

    Args:
        distances: Query-to-gallery distances, any unit, finite, shape (Q, G).
        query_pids: Person identities of the queries, int, (Q,).
        gallery_pids: Person identities of the gallery, int, (G,).
        query_camids: Camera ids of the queries, int, (Q,).
        gallery_camids: Camera ids of the gallery, int, (G,).
        same_camera: What happens to items of the query's identity and camera;
            'keep' counts them as correct matches.

    Raises:
        ValueError: If the shapes do not agree or a distance is not finite.
    """
    expected = (len(query_pids), len(gallery_pids))
    if distances.shape != expected:
        raise ValueError(
            f'distances must have the shape (queries, gallery) = {expected}, got {distances.shape}'
        )
    if len(query_camids) != expected[0] or len(gallery_camids) != expected[1]:
        raise ValueError(
            'there must be one camid for each pid, got '
            f'{len(query_camids)} for {expected[0]} queries and '
            f'{len(gallery_camids)} for {expected[1]} gallery items'
        )
    arrays = (query_pids, gallery_pids, query_camids, gallery_camids)
    if any(np.ndim(array) != 1 for array in arrays):
        raise ValueError(
            'pids and camids must have one axis, got the shapes '
            f'{[np.shape(array) for array in arrays]}'
        )
    if same_camera not in ('drop', 'keep'):
        raise ValueError(f"same_camera must be 'drop' or 'keep', got {same_camera!r}")
    bad = np.flatnonzero(~np.isfinite(distances).all(axis=1))
    if len(bad):
        raise ValueError(
            f'distances must be finite, got NaN or infinity in {len(bad)} of {expected[0]} '
            f'queries, the first in row {bad[0]}'
        )
    kin = find_kin(query_pids, gallery_pids)
    left_out = np.zeros(len(kin.columns), bool)
    if same_camera == 'drop':
        left_out = gallery_camids[kin.columns] == np.repeat(query_camids, kin.counts)
    return place_matches(distances, kin, left_out)


def find_kin(query_pids: np.ndarray, gallery_pids: np.ndarray) -> Kin:
    """List the gallery items that carry each query's identity.

    Args:
        query_pids: Person identities of the queries, int, (Q,).
        gallery_pids: Person identities of the gallery, int, (G,).
    """
    order = np.argsort(gallery_pids, kind='stable')
    ordered = gallery_pids[order]
    starts = np.searchsorted(ordered, query_pids, side='left')
    counts = np.searchsorted(ordered, query_pids, side='right') - starts
    offsets = np.cumsum(counts) - counts
    places = np.arange(counts.sum()) + np.repeat(starts - offsets, counts)
    return Kin(order[places], counts)


def place_matches(distances: np.ndarray, kin: Kin, left_out: np.ndarray) -> MatchRanks:
    """Count, for each match, the gallery items that rank before it.

    Args:
        distances: Finite distances, any unit, shape (Q, G).
        kin: Items of each query's identity; those not left out are its matches.
        left_out: Which of them take no part in the ranking, bool, (S,).
    """
    counts = np.zeros(len(distances), np.int64)
    ranks = np.empty(np.count_nonzero(~left_out), np.int64)
    columns = np.empty_like(ranks)
    kin_stops, stop = np.cumsum(kin.counts), 0
    for query in np.flatnonzero(kin.counts):
        own = slice(kin_stops[query] - kin.counts[query], kin_stops[query])
        out = left_out[own]
        matches = kin.columns[own][~out]
        places = slice(stop, stop + len(matches))
        stop = places.stop
        counts[query] = len(matches)
        ranks[places], columns[places] = _place_row(
            distances[query], matches, kin.columns[own][out]
        )
    return MatchRanks(ranks, counts, columns)


def _place_row(
    distances: np.ndarray, matches: np.ndarray, dropped: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rank one query's matches; return their ranks, ascending, and columns.

    Only the distances up to the farthest match are sorted, without indices.
    """
    values = distances[matches]
    order = np.argsort(values, kind='stable')  # matches ascend, so ties stay in order
    values, columns = values[order], matches[order]
    if not len(values):
        return columns, columns
    near = distances[distances <= values[-1]]
    near.sort()
    gone = np.sort(distances[dropped])
    before = np.searchsorted(near, values) - np.searchsorted(gone, values)
    through = np.searchsorted(near, values, 'right') - np.searchsorted(gone, values, 'right')
    for tied in np.flatnonzero(through - before > 1):
        ahead = np.flatnonzero(distances[: columns[tied]] == values[tied])
        before[tied] += len(ahead) - np.count_nonzero(np.isin(dropped, ahead))
    return before + 1, columns


def join_ranks(parts: list[MatchRanks]) -> MatchRanks:
    """Put the ranks of several blocks of queries behind one another."""
    if not parts:
        return MatchRanks(*(np.empty(0, np.int64) for _ in range(3)))
    return MatchRanks(*(np.concatenate(field) for field in zip(*parts, strict=True)))


def average_precisions(
    matches: MatchRanks, interpolation: Literal['step', 'trapezoid'] = 'step'
) -> np.ndarray:
    """Return the average precision of each query, in [0, 1]; NaN without a match.

    With n matches at ranks r_1 < ... < r_n:

    - 'step': mean over i of i / r_i, as in the common Python evaluations.
    - 'trapezoid': mean over i of (p_i + i / r_i) / 2, where p_i = (i - 1) /
      (r_i - 1) is the precision just before the match, and 1 at the top of the
      list: the area under the precision-recall curve joined by straight lines.
      Source: Zheng et al., "MARS: A Video Benchmark for Large-Scale Person
      Re-Identification", ECCV 2016, `compute_AP` of its evaluation code.

    Returns:
        float64, shape (Q,).
    """
    if interpolation not in ('step', 'trapezoid'):
        raise ValueError(f"interpolation must be 'step' or 'trapezoid', got {interpolation!r}")
    ranks, counts = matches.ranks, matches.counts
    starts = np.cumsum(counts) - counts
    found = np.arange(len(ranks)) - np.repeat(starts, counts) + 1  # i of each match
    precision = found / ranks
    if interpolation == 'trapezoid':
        top = ranks == 1
        previous = np.where(top, 1.0, (found - 1) / np.where(top, 1, ranks - 1))
        precision = (precision + previous) / 2
    query = np.repeat(np.arange(len(counts)), counts)
    total = np.bincount(query, weights=precision, minlength=len(counts))
    return _divide(total, counts)


def mean_average_precision(
    matches: MatchRanks, interpolation: Literal['step', 'trapezoid'] = 'step'
) -> float:
    """Return mAP over the queries that have a match, in [0, 1]; NaN if none has."""
    return _mean(average_precisions(matches, interpolation))


def first_ranks(matches: MatchRanks) -> np.ndarray:
    """Return the 1-based rank of each query's first match; 0 without one, int64, (Q,)."""
    first = np.zeros(len(matches.counts), np.int64)
    starts = np.cumsum(matches.counts) - matches.counts
    valid = matches.counts > 0
    first[valid] = matches.ranks[starts[valid]]
    return first


def cmc(matches: MatchRanks, rank: int) -> float:
    """Return the share of valid queries with a match among the first ``rank``."""
    first = first_ranks(matches)
    return _mean((first[first > 0] <= rank).astype(float))


def cmc_curve(matches: MatchRanks, max_rank: int = 50) -> np.ndarray:
    """Return the CMC at ranks 1 to ``max_rank``, in [0, 1], float64, (max_rank,)."""
    first = first_ranks(matches)
    first = first[first > 0]
    hits = np.bincount(first[first <= max_rank], minlength=max_rank + 1)[1:]
    return np.cumsum(hits) / len(first) if len(first) else np.full(max_rank, np.nan)


def inverse_negative_penalties(matches: MatchRanks) -> np.ndarray:
    """Return each query's matches divided by the rank of the last one, in (0, 1].

    Source: Ye et al., "Deep Learning for Person Re-identification: A Survey and
    Outlook", TPAMI 2021, Eq. 9. NaN without a match; float64, shape (Q,).
    """
    last = np.zeros(len(matches.counts), np.int64)
    valid = matches.counts > 0
    last[valid] = matches.ranks[np.cumsum(matches.counts)[valid] - 1]
    return _divide(matches.counts.astype(float), last)


def mean_inverse_negative_penalty(matches: MatchRanks) -> float:
    """Return mINP over the queries that have a match, in [0, 1]; NaN if none has."""
    return _mean(inverse_negative_penalties(matches))


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide, with NaN where the denominator is zero."""
    result = np.full(len(numerator), np.nan)
    return np.divide(numerator, denominator, out=result, where=denominator > 0)


def _mean(values: np.ndarray) -> float:
    """Average what is not NaN; NaN if nothing is left."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float('nan')
