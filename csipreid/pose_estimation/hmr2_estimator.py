"""HMR 2.0, the estimator of the paper."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.device import get_device

from csipreid.pose_estimation.estimated_pose import EstimatedPose, needs
from csipreid.registry import TASK_UTILS

# HMR 2.0 gives 44 joints: 25 of OpenPose, then these 19, regressed from the surface of SMPL:
# right ankle, knee, hip; left hip, knee, ankle; right wrist, elbow, shoulder; left shoulder,
# elbow, wrist; neck, top of the head (LSP); pelvis, thorax (MPII); spine, jaw, head (H36M).
_FIRST = 25
# Of those 19, in the order of 'h36m'. The neck of LSP is what Human3.6M calls thorax, and
# the jaw lies where it has neck or nose.
_H36M = (14, 2, 1, 0, 3, 4, 5, 16, 12, 17, 13, 9, 10, 11, 8, 7, 6)


@TASK_UTILS.register_module()
class HMR2Estimator:
    """HMR 2.0: the SMPL body in a crop, its joints regressed to Human3.6M.

    There is a body in every crop that it is given, so every frame is found, with confidence 1.

    Source:
        Goel et al., "Humans in 4D: Reconstructing and Tracking Humans with Transformers",
        ICCV 2023. Which of its joints stand for which: the joint table of its predecessor SPIN
        (Kolotouros et al., ICCV 2019).

    Args:
        checkpoint: Weights; None takes the path that the library downloads to.
        device: Where to compute; None takes the GPU where there is one.

    Raises:
        ImportError: If the library is not installed.
    """

    layout = 'h36m'

    def __init__(self, checkpoint: str | None = None, device: str | None = None) -> None:
        try:
            from hmr2.datasets.vitdet_dataset import ViTDetDataset
            from hmr2.models import DEFAULT_CHECKPOINT, load_hmr2
        except ImportError as error:
            raise ImportError(
                needs(
                    'hmr2',
                    'HMR2Estimator',
                    'install it from https://github.com/shubham-goel/4D-Humans, with the SMPL '
                    'model that it asks for',
                )
            ) from error
        self._dataset = ViTDetDataset
        self._model, self._cfg = load_hmr2(checkpoint or DEFAULT_CHECKPOINT)
        self._device = torch.device(device or get_device())
        self._model = self._model.to(self._device).eval()

    @torch.no_grad()
    def __call__(self, crops: Sequence[np.ndarray]) -> list[EstimatedPose]:
        """Estimate the pose of the person in each crop."""
        items = []
        for crop in crops:
            box = np.array([[0, 0, crop.shape[1], crop.shape[0]]], np.float32)
            bgr = np.ascontiguousarray(crop[..., ::-1])
            items.append(self._dataset(self._cfg, bgr, box)[0]['img'])
        images = torch.as_tensor(np.stack(items)).to(self._device)
        joints = self._model(dict(img=images))['pred_keypoints_3d']  # (N, 44, 3), metres
        chosen = joints[:, [_FIRST + index for index in _H36M]].float().cpu().numpy()
        return [EstimatedPose(pose, 1.0) for pose in chosen]
