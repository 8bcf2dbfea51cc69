"""Use of trained models from Python."""

from csipreid.apis.inferencer import VideoReIDInferencer
from csipreid.apis.skeleton_inferencer import SkeletonReIDInferencer
from csipreid.apis.tracklet_embedder import EndedTrack, TrackletEmbedder

__all__ = ['EndedTrack', 'SkeletonReIDInferencer', 'TrackletEmbedder', 'VideoReIDInferencer']
