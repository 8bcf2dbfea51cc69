"""Heads on frame, clip and skeleton features."""

from csipreid.models.heads.bnneck_head import BNNeckHead
from csipreid.models.heads.joint_prediction_head import JointPredictionHead
from csipreid.models.heads.skeleton_projection_head import SkeletonProjectionHead

__all__ = ['BNNeckHead', 'JointPredictionHead', 'SkeletonProjectionHead']
