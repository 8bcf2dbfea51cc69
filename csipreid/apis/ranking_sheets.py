"""Pictures of what a model ranks, one for each query."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import mmcv
import numpy as np

from csipreid.evaluation.feature_file import FeatureFile
from csipreid.evaluation.protocol import Protocol
from csipreid.evaluation.ranked_lists import RankedList, ranked_lists
from csipreid.visualization.drawing import pick_evenly
from csipreid.visualization.ranking_sheet import RankedTracklet, Verdict, draw_ranking

_TRACKLETS_A_ROW = 5


class RankingSheet(NamedTuple):
    """The ranking of one query as a picture.

    Attributes:
        name: Name of a file without its suffix; sorts in the order of the test set.
        image: RGB, uint8, (H, W, 3).
    """

    name: str
    image: np.ndarray


def ranking_sheets(
    features: FeatureFile,
    protocol: Protocol,
    *,
    interval: int = 1,
    top: int = 10,
    num_frames: int = 4,
    rerank: tuple[int, int, float] | None = None,
) -> Iterator[RankingSheet]:
    """Draw the queries with their nearest tracklets: green right, red wrong, grey left out.

    What the protocol leaves out, the query's own camera and junk, is drawn where
    it would stand, and takes no rank.

    Args:
        features: Embeddings of a test set with the paths of its frames.
        protocol: Rules of the evaluation.
        interval: Every so many queries one is drawn, from the first on.
        top: Ranked tracklets of each query.
        num_frames: Frames shown of each tracklet.
        rerank: (k1, k2, lambda) of k-reciprocal re-ranking; None for none.

    Raises:
        ValueError: If ``interval``, ``top`` or ``num_frames`` is not positive, or the features
            name no frames.
        FileNotFoundError: If a frame is missing.
    """
    if min(interval, top, num_frames) < 1:
        raise ValueError(
            f'interval, top and num_frames must be positive, got {interval}, {top} and {num_frames}'
        )
    paths = features.frame_paths
    if not paths or not all(paths):
        raise ValueError('the features name no frames to draw; write them with tools/test.py')
    tracklets = features.tracklets
    asks = tracklets.is_query
    if protocol.junk_pid is not None:
        asks = asks & (tracklets.pid != protocol.junk_pid)
    chosen = np.flatnonzero(asks)[::interval]
    digits = len(str(len(asks)))
    for found in ranked_lists(tracklets, protocol, top, query_rows=chosen, rerank=rerank):
        pid, camid = tracklets.pid[found.query], tracklets.camid[found.query]
        query = _tile(paths[found.query], 'query', f'query: id {pid} camera {camid}', num_frames)
        ranked = list(_ranked(features, found, paths, num_frames))
        rows = [
            ranked[start : start + _TRACKLETS_A_ROW]
            for start in range(0, len(ranked), _TRACKLETS_A_ROW)
        ]
        name = f'query{found.query:0{digits}d}_id{pid}_camera{camid}'
        yield RankingSheet(name, draw_ranking([[query], *rows], num_frames))


def _ranked(
    features: FeatureFile, found: RankedList, paths: list[list[str]], num_frames: int
) -> Iterator[RankedTracklet]:
    """Prepare the ranked tracklets of one query, nearest first."""
    rank = 0
    for row, distance, verdict in zip(found.rows, found.distances, found.verdicts, strict=True):
        ranks = verdict in ('right', 'wrong')
        rank += ranks
        pid, camid = features.tracklets.pid[row], features.tracklets.camid[row]
        place = str(rank) if ranks else verdict
        yield _tile(
            paths[row],
            verdict if verdict == 'right' or verdict == 'wrong' else 'left out',
            f'{place}: id {pid} camera {camid}, distance {distance:.3f}',
            num_frames,
        )


def _tile(paths: Sequence[str], verdict: Verdict, caption: str, num_frames: int) -> RankedTracklet:
    """Load the frames of one tracklet that will be shown."""
    shown = [paths[index] for index in pick_evenly(len(paths), num_frames)]
    missing = [path for path in shown if not Path(path).is_file()]
    if missing:
        raise FileNotFoundError(
            f'frame {missing[0]} not found; have the images moved since the test?'
        )
    frames = [mmcv.imread(path, channel_order='rgb') for path in shown]
    return RankedTracklet(frames, verdict, caption)
