"""Use of trained models from Python."""

from csipreid.apis.inferencer import VideoReIDInferencer

__all__ = ['VideoReIDInferencer']
