"""Use of trained models from Python."""

from csipreid.apis.inferencer import VideoReIDInferencer
from csipreid.apis.tracklet_embedder import EndedTrack, TrackletEmbedder

__all__ = ['EndedTrack', 'TrackletEmbedder', 'VideoReIDInferencer']
