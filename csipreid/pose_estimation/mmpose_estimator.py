"""MMPose's 3D inferencer."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from csipreid.pose_estimation.estimated_pose import EstimatedPose, needs
from csipreid.registry import TASK_UTILS


@TASK_UTILS.register_module()
class MMPoseEstimator:
    """MMPose's 3D human pose: joints in the image, lifted to 3D.

    The crop is taken as the box of the person; no detector runs. MMPose turns its result for
    display (x to the left, y away from the camera, z up, feet at zero); here it is turned back
    to camera axes. The size of the body is what the lifter gives.

    Source:
        MMPose 1.3 (OpenMMLab); its joints are those of Human3.6M, in the order of 'h36m'.

    Args:
        model: Alias or config of a 3D model of MMPose.
        min_score: Mean score of the joints below which no body was found, in [0, 1].
        device: Where to compute; None lets MMPose choose.

    Raises:
        ImportError: If MMPose is not installed.
        ValueError: If the model does not give 17 joints.
    """

    layout = 'h36m'

    def __init__(
        self, model: str = 'human3d', min_score: float = 0.3, device: str | None = None
    ) -> None:
        try:
            from mmpose.apis import MMPoseInferencer
        except ImportError as error:
            raise ImportError(
                needs(
                    'mmpose',
                    'MMPoseEstimator',
                    'pip install mmpose; see https://mmpose.readthedocs.io',
                )
            ) from error
        self.min_score = min_score
        self._inferencer = MMPoseInferencer(pose3d=model, det_model='whole_image', device=device)

    def __call__(self, crops: Sequence[np.ndarray]) -> list[EstimatedPose]:
        """Estimate the pose of the person in each crop.

        The confidence is the mean score of the joints.
        """
        return [self._estimate(crop) for crop in crops]

    def _estimate(self, crop: np.ndarray) -> EstimatedPose:
        """Estimate one pose."""
        bgr = np.ascontiguousarray(crop[..., ::-1])
        people: list[dict[str, Any]] = next(self._inferencer(bgr))['predictions'][0]
        if not people:
            return EstimatedPose(None, 0.0)
        best = max(people, key=lambda person: float(np.mean(person['keypoint_scores'])))
        score = float(np.clip(np.mean(best['keypoint_scores']), 0, 1))
        joints = np.asarray(best['keypoints'], np.float32)
        if joints.shape != (17, 3):
            raise ValueError(
                f'MMPoseEstimator needs a model with 17 joints in 3D, got shape {joints.shape}'
            )
        if score < self.min_score or not np.isfinite(joints).all():
            return EstimatedPose(None, score)
        x, y, z = joints.T
        return EstimatedPose(np.stack([-x, -z, y], axis=1), score)
