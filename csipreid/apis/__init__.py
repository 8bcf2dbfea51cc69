"""Use of trained models from Python."""

from csipreid.apis.inferencer import VideoReIDInferencer
from csipreid.apis.skeleton_inferencer import SkeletonReIDInferencer

__all__ = ['SkeletonReIDInferencer', 'VideoReIDInferencer']
