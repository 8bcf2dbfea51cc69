"""Changes to frames and skeletons of a clip together."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from csipreid.datasets.transforms.frames import stacked_frames
from csipreid.datasets.transforms.skeletons import mirrored
from csipreid.registry import TRANSFORMS
from csipreid.skeletons import get_layout


@TRANSFORMS.register_module()
class FlipClip(BaseTransform):
    """Mirror a whole clip, left to right.

    A skeleton is mirrored at the vertical plane through its root joint: x is negated about the
    root of the same frame, and the left and right joints change names.

    Required keys: ``frames`` (uint8, (T, H, W, 3)), ``rng``; ``skeletons`` (float32, (T, V, 3))
    and ``layout`` if skeletons were loaded.

    Modified keys: ``frames``, ``skeletons``.

    Added keys: ``flip`` (whether the clip was mirrored).

    Args:
        prob: Probability for each clip, in [0, 1].
        mirror_skeletons: Whether to mirror the skeletons with the frames. False reproduces the
            published CSIP-ReID code, which leaves them as they are.

    Raises:
        ValueError: If ``prob`` is out of range, or frames differ in size.
    """

    def __init__(self, prob: float = 0.5, mirror_skeletons: bool = True) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must be in [0, 1], got {prob}')
        self.prob = prob
        self.mirror_skeletons = mirror_skeletons

    def transform(self, results: dict) -> dict:
        """Mirror the clip, or leave it."""
        frames = stacked_frames(results, type(self).__name__)
        results['flip'] = bool(results['rng'].random() < self.prob)
        if not results['flip']:
            return results
        results['frames'] = np.stack([cv2.flip(frame, 1) for frame in frames])
        if self.mirror_skeletons and 'skeletons' in results:
            layout = get_layout(results['layout'])
            results['skeletons'] = mirrored(results['skeletons'], layout)
        return results
