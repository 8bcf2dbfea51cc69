"""Transforms: from the paths of a tracklet to the tensors of a clip."""

from csipreid.datasets.transforms.formatting import PackReIDInputs
from csipreid.datasets.transforms.frames import EraseFrames, ResizeFrames
from csipreid.datasets.transforms.loading import LoadFrames, LoadSkeletons
from csipreid.datasets.transforms.paired import FlipClip
from csipreid.datasets.transforms.sampling import SampleClip
from csipreid.datasets.transforms.skeletons import CenterSkeletons

__all__ = [
    'CenterSkeletons',
    'EraseFrames',
    'FlipClip',
    'LoadFrames',
    'LoadSkeletons',
    'PackReIDInputs',
    'ResizeFrames',
    'SampleClip',
]
