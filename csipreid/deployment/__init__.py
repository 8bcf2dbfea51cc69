"""Models as they are deployed: settings of their input, ONNX files, fingerprints."""

from csipreid.deployment.frame_settings import FrameSettings
from csipreid.deployment.onnx_reid import OnnxReID

__all__ = ['FrameSettings', 'OnnxReID']
