"""csipreid: skeleton-image pretraining for video-based person re-identification."""

from csipreid.version import __version__

__all__ = ['__version__']
