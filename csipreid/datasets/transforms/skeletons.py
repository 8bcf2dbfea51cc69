"""Changes to the skeletons of a clip alone."""

import numpy as np
from mmcv.transforms import BaseTransform

from csipreid.registry import TRANSFORMS
from csipreid.skeletons import Layout, get_layout


@TRANSFORMS.register_module()
class CenterSkeletons(BaseTransform):
    """Move the root joint of each frame to the origin.

    A frame without skeleton is all zeros and stays so.

    Required keys: ``skeletons`` (float32, (T, V, 3), metres), ``layout``.

    Modified keys: ``skeletons``.
    """

    frame_change = 'none'

    def transform(self, results: dict) -> dict:
        """Subtract the root joint."""
        root = get_layout(results['layout']).root
        skeletons = results['skeletons']
        results['skeletons'] = skeletons - skeletons[:, root : root + 1]
        return results


@TRANSFORMS.register_module()
class RotateSkeletons(BaseTransform):
    """Turn all skeletons of a clip by one random angle about the vertical of the camera.

    A person who walks in another direction has the same body and gait. The axis is y of the
    camera (down), which is the vertical as far as the camera does not look down.

    Required keys: ``skeletons`` (float32, (T, V, 3), root at the origin), ``rng``.

    Modified keys: ``skeletons``.

    Args:
        angle: Greatest angle to either side, radians, in [0, pi].

    Raises:
        ValueError: If the angle is out of range.
    """

    frame_change = 'none'

    def __init__(self, angle: float = np.pi) -> None:
        if not 0 <= angle <= np.pi:
            raise ValueError(f'angle must be in [0, pi] radians, got {angle}')
        self.angle = angle

    def transform(self, results: dict) -> dict:
        """Turn the skeletons."""
        angle = results['rng'].uniform(-self.angle, self.angle)
        cos, sin = np.cos(angle), np.sin(angle)
        rotation = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], np.float32)
        results['skeletons'] = results['skeletons'] @ rotation.T
        return results


@TRANSFORMS.register_module()
class JitterSkeletons(BaseTransform):
    """Move each joint of each frame by Gaussian noise, as an estimator does.

    Required keys: ``skeletons`` (float32, (T, V, 3), metres), ``rng``.

    Modified keys: ``skeletons``.

    Args:
        std: Standard deviation in each direction, metres, at least 0.

    Raises:
        ValueError: If ``std`` is negative.
    """

    frame_change = 'none'

    def __init__(self, std: float = 0.005) -> None:
        if std < 0:
            raise ValueError(f'std must be at least 0 metres, got {std}')
        self.std = std

    def transform(self, results: dict) -> dict:
        """Move the joints."""
        skeletons = results['skeletons']
        noise = results['rng'].normal(0, self.std, size=skeletons.shape)
        results['skeletons'] = skeletons + noise.astype(np.float32)
        return results


@TRANSFORMS.register_module()
class MirrorSkeletons(BaseTransform):
    """Mirror the skeletons of a clip, left to right, and leave its frames alone.

    Where frames are mirrored too, ``FlipClip`` does both.

    Required keys: ``skeletons`` (float32, (T, V, 3)), ``layout``, ``rng``.

    Modified keys: ``skeletons``.

    Args:
        prob: Probability for each clip, in [0, 1].

    Raises:
        ValueError: If ``prob`` is out of range.
    """

    frame_change = 'none'

    def __init__(self, prob: float = 0.5) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must be in [0, 1], got {prob}')
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Mirror the skeletons, or leave them."""
        if results['rng'].random() < self.prob:
            layout = get_layout(results['layout'])
            results['skeletons'] = mirrored(results['skeletons'], layout)
        return results


def mirrored(skeletons: np.ndarray, layout: Layout) -> np.ndarray:
    """Mirror skeletons at the vertical plane through their root.

    Args:
        skeletons: Camera axes, x to the right, float, (T, V, 3).
        layout: Its left and right joints change names.

    Returns:
        The same shape.
    """
    result = skeletons[:, list(layout.flip_order)]
    root = skeletons[:, layout.root, :1]  # (T, 1), x of the root
    result[..., 0] = 2 * root - result[..., 0]
    return result
