"""Estimators of 3D poses, and the extraction of skeletons with them."""

from csipreid.pose_estimation.blaze_pose_estimator import BlazePoseEstimator
from csipreid.pose_estimation.estimated_pose import EstimatedPose, PoseEstimator
from csipreid.pose_estimation.function_estimator import FunctionEstimator
from csipreid.pose_estimation.hmr2_estimator import HMR2Estimator
from csipreid.pose_estimation.mmpose_estimator import MMPoseEstimator

__all__ = [
    'BlazePoseEstimator',
    'EstimatedPose',
    'FunctionEstimator',
    'HMR2Estimator',
    'MMPoseEstimator',
    'PoseEstimator',
]
