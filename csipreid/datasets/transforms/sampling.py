"""Choice of the frames that stand for a tracklet."""

from typing import Literal, get_args

import numpy as np
from mmcv.transforms import BaseTransform

from csipreid.registry import TRANSFORMS

Mode = Literal['restricted_random', 'first', 'dense']


@TRANSFORMS.register_module()
class SampleClip(BaseTransform):
    """Choose the frames of a clip from a tracklet of n frames.

    The modes 'restricted_random' and 'first' cut the tracklet into T segments of
    ``ceil(n / T)`` frames and take one frame of each: a random one, or the first. Frames
    beyond the end are the last frame. The mode 'dense' cuts the whole tracklet into
    ``N = ceil(n / T)`` clips of T consecutive frames; the last one repeats its own frames
    cyclically.

    Source:
        Restricted random sampling: Li et al., "Diversity Regularized Spatiotemporal
        Attention for Video-based Person Re-identification", CVPR 2018; details as in the
        published CSIP-ReID code.

    Required keys: ``frame_paths``; ``rng`` in the mode 'restricted_random'.

    Added keys: ``frame_inds`` (int64, (T,), or (N, T) in the mode 'dense'), ``num_clips``.

    Args:
        clip_len: Frames per clip, T.
        mode: How to choose them.

    Raises:
        ValueError: If ``clip_len`` is not positive or ``mode`` unknown.
    """

    def __init__(self, clip_len: int = 8, mode: Mode = 'restricted_random') -> None:
        if clip_len < 1:
            raise ValueError(f'clip_len must be positive, got {clip_len}')
        if mode not in get_args(Mode):
            raise ValueError(f'mode must be one of {get_args(Mode)}, got {mode!r}')
        self.clip_len = clip_len
        self.mode = mode

    def transform(self, results: dict) -> dict:
        """Choose the frames."""
        num_frames = len(results['frame_paths'])
        if self.mode == 'dense':
            results['frame_inds'] = self._dense(num_frames)
            results['num_clips'] = len(results['frame_inds'])
            return results
        step = -(-num_frames // self.clip_len)
        starts = np.arange(self.clip_len) * step
        if self.mode == 'restricted_random':
            starts += results['rng'].integers(step, size=self.clip_len)
        results['frame_inds'] = np.minimum(starts, num_frames - 1)
        results['num_clips'] = 1
        return results

    def _dense(self, num_frames: int) -> np.ndarray:
        """Cover all frames by consecutive clips, (N, T)."""
        num_clips = -(-num_frames // self.clip_len)
        inds = np.arange(num_clips * self.clip_len).reshape(num_clips, self.clip_len)
        start = inds[-1, 0]
        inds[-1] = start + np.arange(self.clip_len) % (num_frames - start)
        return inds
