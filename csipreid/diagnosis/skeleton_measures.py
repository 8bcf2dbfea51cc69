"""How the body and the movement of one tracklet measure."""

from typing import NamedTuple

import numpy as np

from csipreid.skeletons import Layout

_FEWEST = 4  # frames from which standing still is suspicious


class TrackletMeasures(NamedTuple):
    """Measures of the skeletons of one tracklet.

    Attributes:
        size: Largest extent of the body along an axis, median over frames, metres.
        bone_variation: Standard deviation of a bone's length over its mean, mean over bones.
        bone_outlier: Largest relative difference of a bone from its median length.
        jitter: How far a joint lies from the middle of where it is one frame before and after,
            relative to the root, median, metres.
        frozen: Whether all of at least four frames are equal.
        upside_down: Whether the head is below the feet (y points down) in most frames.
    """

    size: float
    bone_variation: float
    bone_outlier: float
    jitter: float
    frozen: bool
    upside_down: bool


def measure_tracklet(skeletons: np.ndarray, layout: Layout) -> TrackletMeasures:
    """Measure one tracklet.

    Args:
        skeletons: Joints of the frames that have a skeleton, metres, float, (N, V, 3), N > 0.
        layout: Their layout.
    """
    skeletons = skeletons.astype(np.float64)
    centred = skeletons - skeletons[:, layout.root : layout.root + 1]
    parents, children = np.array(layout.bones).T
    bones = np.linalg.norm(skeletons[:, children] - skeletons[:, parents], axis=2)  # (N, bones)
    usual = np.maximum(np.median(bones, axis=0), 1e-9)
    jitter = 0.0
    if len(centred) > 2:
        leap = centred[1:-1] - (centred[:-2] + centred[2:]) / 2
        jitter = float(np.median(np.linalg.norm(leap, axis=2)))
    heights = {name: skeletons[:, layout.joints.index(name), 1] for name in _ends(layout)}
    feet = (heights['left_ankle'] + heights['right_ankle']) / 2
    head = heights[next(iter(heights))]
    return TrackletMeasures(
        size=float(np.median(np.ptp(skeletons, axis=1).max(axis=1))),
        bone_variation=float(np.mean(bones.std(axis=0) / np.maximum(bones.mean(axis=0), 1e-9))),
        bone_outlier=float(np.abs(bones / usual - 1).max()),
        jitter=jitter,
        frozen=len(skeletons) >= _FEWEST and bool((skeletons == skeletons[0]).all()),
        upside_down=bool((head > feet).mean() > 0.5),
    )


def _ends(layout: Layout) -> list[str]:
    """Return the joints at the upper and lower end of a body, the head first."""
    return ['head' if 'head' in layout.joints else 'nose', 'left_ankle', 'right_ankle']
