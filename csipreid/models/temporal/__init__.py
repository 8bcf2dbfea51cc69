"""Temporal modules: from the tokens of a clip to one feature per frame."""

from csipreid.models.temporal.mean_pooling import MeanPooling
from csipreid.models.temporal.skeleton_guided_temporal_modeling import (
    SkeletonGuidedTemporalModeling,
)
from csipreid.models.temporal.temporal_memory_diffusion import TemporalMemoryDiffusion

__all__ = ['MeanPooling', 'SkeletonGuidedTemporalModeling', 'TemporalMemoryDiffusion']
