"""Data sets of tracklets, the samplers and the transforms that go with them."""

from csipreid.datasets.mars import MARS
from csipreid.datasets.samplers import IdentitySampler
from csipreid.datasets.tracklet_dataset import TrackletDataset

__all__ = ['MARS', 'IdentitySampler', 'TrackletDataset']
