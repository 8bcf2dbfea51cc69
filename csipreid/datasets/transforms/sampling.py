"""Choice of the frames that stand for a tracklet."""

from typing import Literal, get_args

import numpy as np
from mmcv.transforms import BaseTransform

from csipreid.registry import TRANSFORMS

Mode = Literal['restricted_random', 'first', 'even', 'dense']


@TRANSFORMS.register_module()
class SampleClip(BaseTransform):
    """Choose the frames of a clip from a tracklet of n frames.

    The modes 'restricted_random' and 'first' cut the tracklet into T segments of
    ``ceil(n / T)`` frames and take one frame of each: a random one, or the first. Frames
    beyond the end are the last frame. The mode 'even' cuts it into T equal parts and takes the
    frame in the middle of each, so that all of the tracklet is seen whatever its length. The
    mode 'dense' cuts the whole tracklet into ``N = ceil(n / T)`` clips of T consecutive frames;
    the last one repeats its own frames cyclically.

    Several clips of a tracklet are for testing: the model embeds each and takes the mean.

    Source:
        Restricted random sampling: Li et al., "Diversity Regularized Spatiotemporal
        Attention for Video-based Person Re-identification", CVPR 2018; details as in the
        published CSIP-ReID code.

    Required keys: ``frame_paths``; ``rng`` in the mode 'restricted_random'.

    Added keys: ``frame_inds`` (int64, (T,); (N, T) for several clips and in the mode 'dense'),
    ``num_clips``.

    Args:
        clip_len: Frames per clip, T.
        mode: How to choose them.
        num_clips: Clips that are drawn in the mode 'restricted_random', N; the others have
            no choice.

    Raises:
        ValueError: If ``clip_len`` or ``num_clips`` is not positive, ``mode`` unknown, or
            several clips are asked of a mode that does not draw.
    """

    frame_change = 'none'

    def __init__(
        self, clip_len: int = 8, mode: Mode = 'restricted_random', num_clips: int = 1
    ) -> None:
        if clip_len < 1:
            raise ValueError(f'clip_len must be positive, got {clip_len}')
        if mode not in get_args(Mode):
            raise ValueError(f'mode must be one of {get_args(Mode)}, got {mode!r}')
        if num_clips < 1:
            raise ValueError(f'num_clips must be positive, got {num_clips}')
        if num_clips > 1 and mode != 'restricted_random':
            raise ValueError(
                f"only the mode 'restricted_random' draws several clips, got num_clips {num_clips} "
                f'with mode {mode!r}'
            )
        self.clip_len = clip_len
        self.mode = mode
        self.num_clips = num_clips

    def transform(self, results: dict) -> dict:
        """Choose the frames."""
        num_frames = len(results['frame_paths'])
        if self.mode == 'dense':
            inds = self._dense(num_frames)
        elif self.mode == 'even':
            inds = (2 * np.arange(self.clip_len) + 1) * num_frames // (2 * self.clip_len)
        else:
            step = -(-num_frames // self.clip_len)
            inds = np.arange(self.clip_len) * step
            if self.mode == 'restricted_random':
                shape = (self.num_clips, self.clip_len) if self.num_clips > 1 else self.clip_len
                inds = inds + results['rng'].integers(step, size=shape)
            inds = np.minimum(inds, num_frames - 1)
        results['frame_inds'] = inds
        results['num_clips'] = len(inds) if inds.ndim == 2 else 1
        return results

    def candidates(self, num_frames: int) -> np.ndarray:
        """Return the frames of a tracklet that may be chosen, ascending, int64."""
        if self.mode == 'restricted_random':
            return np.arange(num_frames)
        return np.unique(self.transform(dict(frame_paths=range(num_frames)))['frame_inds'])

    def _dense(self, num_frames: int) -> np.ndarray:
        """Cover all frames by consecutive clips, (N, T)."""
        num_clips = -(-num_frames // self.clip_len)
        inds = np.arange(num_clips * self.clip_len).reshape(num_clips, self.clip_len)
        start = inds[-1, 0]
        inds[-1] = start + np.arange(self.clip_len) % (num_frames - start)
        return inds
