"""What runs a training: runner, hooks, parameter groups and schedules."""

from csipreid.engine.hooks import (
    DeferredRuntimeInfoHook,
    LoadPretrainedHook,
    PlainCheckpointHook,
    PrototypeHook,
    RandomnessHook,
    SkeletonCoverageHook,
)
from csipreid.engine.mixed_precision import MixedPrecisionOptimWrapper, MixedPrecisionTestLoop
from csipreid.engine.optim_constructor import MultipliedLROptimWrapperConstructor
from csipreid.engine.runner import ReIDRunner
from csipreid.engine.schedulers import WarmupCosineLR
from csipreid.engine.sharding import FullyShardedModel

__all__ = [
    'DeferredRuntimeInfoHook',
    'FullyShardedModel',
    'LoadPretrainedHook',
    'MixedPrecisionOptimWrapper',
    'MixedPrecisionTestLoop',
    'MultipliedLROptimWrapperConstructor',
    'PlainCheckpointHook',
    'PrototypeHook',
    'RandomnessHook',
    'ReIDRunner',
    'SkeletonCoverageHook',
    'WarmupCosineLR',
]
