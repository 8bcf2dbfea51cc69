"""Pictures of tracklets beside the ones that are most similar to them."""

from collections.abc import Sequence

import numpy as np

from csipreid.apis.tracklets import Tracklet, describe_tracklets
from csipreid.datasets.transforms.image_files import decode_image
from csipreid.visualization.drawing import pick_evenly
from csipreid.visualization.ranking_sheet import RankedTracklet, draw_ranking


def neighbour_sheets(
    queries: Sequence[Tracklet] | np.ndarray,
    gallery: Sequence[Tracklet] | np.ndarray,
    indices: np.ndarray,
    similarities: np.ndarray,
    num_frames: int = 4,
) -> list[np.ndarray]:
    """Draw each query and what was found for it, nearest first; who is who is not known.

    Args:
        queries: Q tracklets.
        gallery: G tracklets.
        indices: What was found, positions in the gallery, int, (Q, k).
        similarities: How similar it is, float, (Q, k).
        num_frames: Frames shown of each tracklet.

    Returns:
        Q pictures, RGB, uint8, (H, W, 3) each.

    Raises:
        FileNotFoundError, TypeError, ValueError: As of an inferencer.
    """
    asked, found = describe_tracklets(queries, 'queries'), describe_tracklets(gallery, 'gallery')
    sheets = []
    for number, (item, row, values) in enumerate(zip(asked, indices, similarities, strict=True)):
        tiles = [RankedTracklet(_frames(item, num_frames), 'query', f'tracklet {number}')]
        tiles += [
            RankedTracklet(
                _frames(found[index], num_frames), 'left out', f'tracklet {index}: {value:.3f}'
            )
            for index, value in zip(row, values, strict=True)
        ]
        sheets.append(draw_ranking([tiles], num_frames))
    return sheets


def _frames(item: dict, num_frames: int) -> list[np.ndarray]:
    """Return the frames of a described tracklet that are drawn."""
    chosen = pick_evenly(len(item['frame_paths']), num_frames)
    if item['given'] is not None:
        return [item['given'][index] for index in chosen]
    return [decode_image(item['frame_paths'][index]) for index in chosen]
