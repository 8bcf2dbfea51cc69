"""Data sets of tracklets, the samplers and the transforms that go with them."""

from csipreid.datasets.collate import collate_clips
from csipreid.datasets.ilids_vid import ILIDSVID
from csipreid.datasets.ls_vid import LSVID
from csipreid.datasets.mars import MARS
from csipreid.datasets.samplers import IdentitySampler
from csipreid.datasets.skeleton_sequences import SkeletonSequences
from csipreid.datasets.tracklet_dataset import TrackletDataset
from csipreid.datasets.tracklet_folder import TrackletFolder

__all__ = [
    'ILIDSVID',
    'LSVID',
    'MARS',
    'IdentitySampler',
    'SkeletonSequences',
    'TrackletDataset',
    'TrackletFolder',
    'collate_clips',
]
