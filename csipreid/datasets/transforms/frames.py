"""Changes to the frames of a clip alone."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from csipreid.registry import TRANSFORMS

_ERASE_ATTEMPTS = 100


@TRANSFORMS.register_module()
class ResizeFrames(BaseTransform):
    """Resize all frames to one size and stack them.

    Bilinear; where both sides shrink, the mean over the area of each new pixel. A frame that
    already has the size is left as it is.

    Required keys: ``frames`` (list of T arrays, uint8, (H', W', 3)).

    Modified keys: ``frames`` (uint8, (T, H, W, 3)).

    Args:
        size: Height and width in pixels.

    Raises:
        ValueError: If ``size`` is not two positive numbers.
    """

    frame_change = 'fixed'

    def __init__(self, size: tuple[int, int]) -> None:
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f'size must be a positive height and width, got {size}')
        self.height, self.width = size

    def transform(self, results: dict) -> dict:
        """Resize the frames."""
        frames = results['frames']
        stacked = np.empty((len(frames), self.height, self.width, 3), dtype=np.uint8)
        for target, frame in zip(stacked, frames, strict=True):
            height, width = frame.shape[:2]
            if (height, width) == (self.height, self.width):
                target[:] = frame
                continue
            shrinks = height > self.height and width > self.width
            cv2.resize(
                frame,
                (self.width, self.height),
                dst=target,
                interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
            )
        results['frames'] = stacked
        return results


@TRANSFORMS.register_module()
class EraseFrames(BaseTransform):
    """Cover a random box of each frame, independently, with one random colour.

    The box has the area ``a H W`` and the aspect (height to width) ``r``, both drawn uniformly,
    until it fits into the frame; its place is uniform over the places inside the frame.

    Source:
        Zhong et al., "Random Erasing Data Augmentation", AAAI 2020.

    Required keys: ``frames`` (uint8, (T, H, W, 3)), ``rng``.

    Modified keys: ``frames``.

    Args:
        prob: Probability for each frame, in [0, 1].
        area: Smallest and largest area, as a share of the frame, in (0, 1].
        aspect: Smallest and largest ratio of height to width.
        place_by_size: Whether to put the upper left corner at x = width and y = height *of the
            box* rather than where it was drawn, as the published CSIP-ReID code does. It
            reproduces that code; parts of the box beyond the frame are cut off.

    Raises:
        ValueError: If a range is empty or a value impossible, or frames differ in size.
    """

    def __init__(
        self,
        prob: float = 0.5,
        area: tuple[float, float] = (0.02, 0.2),
        aspect: tuple[float, float] = (0.3, 1 / 0.3),
        place_by_size: bool = False,
    ) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must be in [0, 1], got {prob}')
        if not 0 < area[0] <= area[1] <= 1:
            raise ValueError(f'area must be an ascending pair in (0, 1], got {area}')
        if not 0 < aspect[0] <= aspect[1]:
            raise ValueError(f'aspect must be an ascending positive pair, got {aspect}')
        self.prob = prob
        self.area = area
        self.aspect = aspect
        self.place_by_size = place_by_size

    def transform(self, results: dict) -> dict:
        """Erase a box in some frames."""
        frames = stacked_frames(results, type(self).__name__)
        rng = results['rng']
        for index in np.flatnonzero(rng.random(len(frames)) < self.prob):
            box = self._draw_box(frames.shape[1], frames.shape[2], rng)
            if box is not None:
                top, left, height, width = box
                colour = rng.integers(256, size=3, dtype=np.uint8)
                frames[index, top : top + height, left : left + width] = colour
        return results

    def _draw_box(
        self, height: int, width: int, rng: np.random.Generator
    ) -> tuple[int, int, int, int] | None:
        """Draw top, left, height and width in pixels; None if no box fits."""
        for _ in range(_ERASE_ATTEMPTS):
            area = rng.uniform(*self.area) * height * width
            aspect = rng.uniform(*self.aspect)
            box_height, box_width = int((area * aspect) ** 0.5), int((area / aspect) ** 0.5)
            if box_height < height and box_width < width:
                top = int(rng.integers(height - box_height + 1))
                left = int(rng.integers(width - box_width + 1))
                if self.place_by_size:
                    top, left = box_height, box_width
                return top, left, box_height, box_width
        return None


@TRANSFORMS.register_module()
class JitterColors(BaseTransform):
    """Give a whole clip the colours of another camera: one gain and offset per channel.

    Cameras differ in colour, so a network may tell cameras by it; a clip has one camera.

    Required keys: ``frames`` (uint8, (T, H, W, 3)), ``rng``.

    Modified keys: ``frames``.

    Args:
        gain: Least and greatest factor of a channel.
        offset: Greatest change of a channel to either side, in grey levels of 255.

    Raises:
        ValueError: If a range is empty or negative, or frames differ in size.
    """

    def __init__(self, gain: tuple[float, float] = (0.6, 1.4), offset: float = 30.0) -> None:
        if not 0 < gain[0] <= gain[1]:
            raise ValueError(f'gain must be an ascending positive pair, got {gain}')
        if offset < 0:
            raise ValueError(f'offset must be at least 0, got {offset}')
        self.gain = gain
        self.offset = offset

    def transform(self, results: dict) -> dict:
        """Change the colours."""
        frames = stacked_frames(results, type(self).__name__)
        rng = results['rng']
        gain = rng.uniform(*self.gain, size=3)
        offset = rng.uniform(-self.offset, self.offset, size=3)
        levels = np.arange(256)[:, None] * gain + offset  # (256, 3)
        table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        results['frames'] = table[frames, np.arange(3)]
        return results


def stacked_frames(results: dict, transform: str) -> np.ndarray:
    """Return the frames as one array (T, H, W, 3).

    Raises:
        ValueError: If they have not been brought to one size.
    """
    frames = results['frames']
    if not isinstance(frames, np.ndarray):
        raise ValueError(
            f'{transform} needs frames of one size; put ResizeFrames before it in the pipeline'
        )
    return frames
