"""Retrieval results in parts: by pair of cameras and by length of the query tracklet."""

from typing import NamedTuple

import numpy as np

from csipreid.evaluation.ranking import (
    MatchRanks,
    average_precisions,
    cmc,
    first_ranks,
    mean_average_precision,
)
from csipreid.evaluation.retrieval import Retrieval


class CameraPairs(NamedTuple):
    """Results for each camera of the query and each camera of the match.

    Attributes:
        cameras: The C camera ids, ascending, int64, (C,).
        mean_average_precision: Percent, NaN without a query, float64, (C, C);
            rows are the query's cameras.
        rank_1: Percent, as above.
        queries: Number of queries behind a cell, int64, (C, C).
    """

    cameras: np.ndarray
    mean_average_precision: np.ndarray
    rank_1: np.ndarray
    queries: np.ndarray


def camera_pairs(retrieval: Retrieval) -> CameraPairs:
    """Score each query with the matches of one camera at a time.

    For a cell the matches of the other cameras are left out, like junk; the
    wrong items of all cameras stay.

    Differs from the evaluation code of MARS (Zheng et al., "MARS: A Video
    Benchmark for Large-Scale Person Re-Identification", ECCV 2016) in two ways.
    Junk is left out here as it is from mAP; the MATLAB code leaves it out of mAP,
    but passes only the items of the query's own camera to the matrix
    (``compute_AP_multiCam(good_image, junk, …)`` in ``evaluation_mars.m``), so
    that junk counts as wrong there and its cells are lower by some tenths. And it
    fills the diagonal, which stays empty here: matches of the query's own camera
    were never ranked.

    Args:
        retrieval: Result of the evaluation.
    """
    camids = retrieval.tracklets.camid
    matches = retrieval.matches
    cameras = np.unique(camids[np.union1d(retrieval.query_rows, retrieval.gallery_rows)])
    query_camids = camids[retrieval.query_rows]
    match_camids = camids[retrieval.gallery_rows][matches.columns]
    shape = (len(cameras), len(cameras))
    mean_ap, rank_1, queries = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, int)
    interpolation = retrieval.card.protocol.average_precision
    for column, camera in enumerate(cameras):
        chosen = keep_matches(matches, match_camids == camera)
        precisions = average_precisions(chosen, interpolation)
        first = first_ranks(chosen)
        for row, query_camera in enumerate(cameras):
            cell = (query_camids == query_camera) & (chosen.counts > 0)
            if cell.any():
                queries[row, column] = np.count_nonzero(cell)
                mean_ap[row, column] = 100 * precisions[cell].mean()
                rank_1[row, column] = 100 * np.mean(first[cell] == 1)
    return CameraPairs(cameras, mean_ap, rank_1, queries)


def keep_matches(matches: MatchRanks, kept: np.ndarray) -> MatchRanks:
    """Leave some matches out of the ranking, so that later ones move up.

    Args:
        matches: Ranks of all matches.
        kept: Which ones to keep, bool, (M,).
    """
    query = np.repeat(np.arange(len(matches.counts)), matches.counts)
    dropped = np.cumsum(~kept)  # over all queries
    starts = np.cumsum(matches.counts) - matches.counts
    before = np.concatenate([[0], dropped])[starts]  # what earlier queries dropped
    ranks = matches.ranks - (dropped - before[query])
    counts = np.bincount(query[kept], minlength=len(matches.counts)).astype(np.int64)
    return MatchRanks(ranks[kept], counts, matches.columns[kept])


class LengthBin(NamedTuple):
    """Results of the queries with at least ``shortest`` and at most ``longest`` frames.

    Attributes:
        shortest: Frames.
        longest: Frames.
        queries: Valid queries in the bin.
        mean_average_precision: Percent.
        rank_1: Percent.
    """

    shortest: int
    longest: int
    queries: int
    mean_average_precision: float
    rank_1: float


def by_length(retrieval: Retrieval, lengths: np.ndarray, num_bins: int = 4) -> list[LengthBin]:
    """Score the queries in groups of about equal size, shortest tracklets first.

    Queries of equal length share a group, so there may be fewer groups.

    Args:
        retrieval: Result of the evaluation.
        lengths: Frames of each tracklet of the whole set, int64, (N,).
        num_bins: Number of groups.

    Raises:
        ValueError: If there is not one length for each tracklet.
    """
    size = len(retrieval.tracklets.pid)
    if lengths.shape != (size,):
        raise ValueError(
            f'there must be one length for each of {size} tracklets, got {lengths.shape}'
        )
    matches = retrieval.matches
    own = lengths[retrieval.query_rows]
    valid = matches.counts > 0
    edges = np.unique(np.quantile(own[valid], np.linspace(0, 1, num_bins + 1)[1:], method='lower'))
    group = np.searchsorted(edges, own)
    query = np.repeat(np.arange(len(own)), matches.counts)
    bins = []
    for number in range(len(edges)):
        chosen = valid & (group == number)
        of_group = chosen[query]
        part = MatchRanks(
            matches.ranks[of_group], matches.counts[chosen], matches.columns[of_group]
        )
        precision = mean_average_precision(part, retrieval.card.protocol.average_precision)
        bins.append(
            LengthBin(
                int(own[chosen].min()),
                int(own[chosen].max()),
                int(np.count_nonzero(chosen)),
                100 * precision,
                100 * cmc(part, 1),
            )
        )
    return bins
