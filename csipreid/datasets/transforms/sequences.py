"""Skeletons of a clip, from a sequence that is in memory."""

import numpy as np
from mmcv.transforms import BaseTransform

from csipreid.registry import TRANSFORMS
from csipreid.skeletons import get_layout, to_h36m


@TRANSFORMS.register_module()
class TakeSkeletons(BaseTransform):
    """Take the chosen frames of a skeleton sequence, for data sets without frames.

    A frame whose coordinates are all zero has no skeleton; it is marked as not valid.

    Required keys: ``sequence`` (float32, (n, V, 3), metres), ``frame_inds``, ``layout``.

    Added keys: ``skeletons`` (float32, (T, V, 3); N T instead of T for N clips),
    ``skeleton_valid`` (bool, (T,)).
    """

    frame_change = 'none'

    def transform(self, results: dict) -> dict:
        """Take the skeletons."""
        skeletons = results.pop('sequence')[results['frame_inds'].ravel()]
        joints = get_layout(results['layout']).num_joints
        if skeletons.shape[1:] != (joints, 3):
            raise ValueError(
                f'skeletons of layout {results["layout"]!r} must be (n, {joints}, 3), got '
                f'{skeletons.shape}'
            )
        results['skeletons'] = skeletons
        results['skeleton_valid'] = skeletons.any(axis=(1, 2))
        return results


@TRANSFORMS.register_module()
class MapSkeletons(BaseTransform):
    """Map skeletons to the 17 joints of 'h36m', for encoders that were trained on those.

    Frames without skeleton stay zero.

    Required keys: ``skeletons`` (float32, (T, V, 3)), ``layout``.

    Modified keys: ``skeletons`` (float32, (T, 17, 3)), ``layout`` ('h36m').
    """

    frame_change = 'none'

    def transform(self, results: dict) -> dict:
        """Map the skeletons."""
        mapped = to_h36m(results['skeletons'], results['layout'])
        results['skeletons'] = np.ascontiguousarray(mapped, np.float32)
        results['layout'] = 'h36m'
        return results
