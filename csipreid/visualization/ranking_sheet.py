"""A sheet of ranked tracklets: one row per query, its nearest tracklets beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from csipreid.skeletons.layouts import Layout
from csipreid.visualization.drawing import (
    Colour,
    draw_border,
    draw_caption,
    draw_skeleton,
    draw_strip,
    fit_skeleton,
    pick_evenly,
    stack_images,
)

Verdict = Literal['query', 'right', 'wrong', 'left out']

VERDICT_COLOURS: dict[str, Colour] = {
    'query': (0, 0, 0),
    'right': (34, 139, 34),
    'wrong': (200, 30, 30),
    'left out': (150, 150, 150),
}


@dataclass(frozen=True)
class RankedTracklet:
    """What a ranking sheet shows of one tracklet.

    Args:
        frames: RGB images, uint8, each (h, w, 3).
        verdict: 'query', 'right', 'wrong', or 'left out' for junk and for the
            query's own camera.
        caption: Line of ASCII text below the strip.
        skeletons: Joints of each frame in metres, float, (T, V, 3), or None.
    """

    frames: Sequence[np.ndarray]
    verdict: Verdict
    caption: str = ''
    skeletons: np.ndarray | None = None


def draw_ranking(
    queries: Sequence[Sequence[RankedTracklet]],
    num_frames: int = 4,
    frame_size: tuple[int, int] = (128, 64),
    layout: Layout | None = None,
) -> np.ndarray:
    """Draw one row per query: the query, then its ranked tracklets, nearest first.

    Right tracklets have a green border, wrong ones a red, left-out ones a grey.

    Args:
        queries: For each query, the query itself and then its ranked tracklets.
        num_frames: Frames shown of each tracklet.
        frame_size: Height and width of a frame in pixels.
        layout: Joint layout with which skeletons are drawn; None hides them.

    Returns:
        RGB image, uint8, (H, W, 3).

    Raises:
        ValueError: If there is no query, or a verdict is unknown.
    """
    if not queries or not all(queries):
        raise ValueError(f'each of at least one query needs a tracklet, got {len(queries)} queries')
    rows = [
        stack_images([_tile(item, num_frames, frame_size, layout) for item in row], axis=1)
        for row in queries
    ]
    return draw_border(stack_images(rows, axis=0, gap=8), (255, 255, 255), 8)


def _tile(
    item: RankedTracklet, num_frames: int, frame_size: tuple[int, int], layout: Layout | None
) -> np.ndarray:
    """Draw the bordered strip of one tracklet with its caption."""
    if item.verdict not in VERDICT_COLOURS:
        raise ValueError(f'verdict must be one of {list(VERDICT_COLOURS)}, got {item.verdict!r}')
    chosen = pick_evenly(len(item.frames), num_frames)
    frames = [item.frames[index] for index in chosen]
    if layout is not None and item.skeletons is not None:
        frames = [
            _overlay(frame, item.skeletons[index], layout)
            for frame, index in zip(frames, chosen, strict=True)
        ]
    strip = draw_strip(frames, *frame_size, num_frames=num_frames)
    return draw_caption(draw_border(strip, VERDICT_COLOURS[item.verdict]), item.caption)


def _overlay(frame: np.ndarray, skeleton: np.ndarray, layout: Layout) -> np.ndarray:
    """Draw a skeleton over a frame; a missing one, all zeros, is not drawn."""
    if not np.any(skeleton):
        return frame
    joints = fit_skeleton(skeleton, (frame.shape[0], frame.shape[1]))
    thickness = max(1, frame.shape[0] // 64)
    return draw_skeleton(frame, joints, layout.bones, layout.flip_pairs, thickness)
