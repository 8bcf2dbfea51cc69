"""Changes to the skeletons of a clip alone."""

from mmcv.transforms import BaseTransform

from csipreid.registry import TRANSFORMS
from csipreid.skeletons import get_layout


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
