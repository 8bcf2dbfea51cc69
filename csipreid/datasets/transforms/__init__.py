"""Transforms: from the paths of a tracklet to the tensors of a clip.

A transform may have an attribute ``frame_change``: 'none' if it leaves the pixels
of frames alone, 'fixed' if what it makes of a frame depends on its file alone.
Features of frames are stored only where all transforms say one of the two; one
that says nothing is taken to change frames from item to item.
"""

from csipreid.datasets.transforms.formatting import PackReIDInputs
from csipreid.datasets.transforms.frames import EraseFrames, JitterColors, ResizeFrames
from csipreid.datasets.transforms.loading import LoadFrames, LoadSkeletons
from csipreid.datasets.transforms.paired import FlipClip
from csipreid.datasets.transforms.sampling import SampleClip
from csipreid.datasets.transforms.sequences import MapSkeletons, TakeSkeletons
from csipreid.datasets.transforms.skeletons import (
    CenterSkeletons,
    JitterSkeletons,
    MirrorSkeletons,
    RotateSkeletons,
)

__all__ = [
    'CenterSkeletons',
    'EraseFrames',
    'FlipClip',
    'JitterColors',
    'JitterSkeletons',
    'LoadFrames',
    'LoadSkeletons',
    'MapSkeletons',
    'MirrorSkeletons',
    'PackReIDInputs',
    'ResizeFrames',
    'RotateSkeletons',
    'SampleClip',
    'TakeSkeletons',
]
