"""Heads on frame, clip and skeleton features."""

from csipreid.models.heads.bnneck_head import BNNeckHead
from csipreid.models.heads.joint_prediction_head import JointPredictionHead
from csipreid.models.heads.skeleton_mean_head import SkeletonMeanHead
from csipreid.models.heads.skeleton_projection_head import SkeletonProjectionHead
from csipreid.models.heads.skeleton_prompt_head import SkeletonPromptHead

__all__ = [
    'BNNeckHead',
    'JointPredictionHead',
    'SkeletonMeanHead',
    'SkeletonProjectionHead',
    'SkeletonPromptHead',
]
