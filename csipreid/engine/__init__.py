"""What runs a training: runner, hooks, parameter groups and schedules."""

from csipreid.engine.hooks import (
    DeferredRuntimeInfoHook,
    FeatureCacheHook,
    FrozenPartsHook,
    LoadPretrainedHook,
    PlainCheckpointHook,
    PreemptionHook,
    PrototypeHook,
    RandomnessHook,
    SafeCheckpointHook,
    SkeletonCoverageHook,
)
from csipreid.engine.loops import ResumableTrainLoop
from csipreid.engine.mixed_precision import MixedPrecisionOptimWrapper, MixedPrecisionTestLoop
from csipreid.engine.optim_constructor import (
    FusedOptimWrapperConstructor,
    MultipliedLROptimWrapperConstructor,
)
from csipreid.engine.pretrained_init import FittingPretrainedInit
from csipreid.engine.runner import ReIDRunner
from csipreid.engine.schedulers import WarmupCosineLR
from csipreid.engine.sharding import FullyShardedModel

__all__ = [
    'DeferredRuntimeInfoHook',
    'FeatureCacheHook',
    'FittingPretrainedInit',
    'FrozenPartsHook',
    'FullyShardedModel',
    'FusedOptimWrapperConstructor',
    'LoadPretrainedHook',
    'MixedPrecisionOptimWrapper',
    'MixedPrecisionTestLoop',
    'MultipliedLROptimWrapperConstructor',
    'PlainCheckpointHook',
    'PreemptionHook',
    'PrototypeHook',
    'RandomnessHook',
    'ReIDRunner',
    'ResumableTrainLoop',
    'SafeCheckpointHook',
    'SkeletonCoverageHook',
    'WarmupCosineLR',
]
