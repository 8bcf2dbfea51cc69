"""Hooks of the runner."""

from csipreid.engine.hooks.collapse_hook import CollapseHook
from csipreid.engine.hooks.deferred_runtime_info_hook import DeferredRuntimeInfoHook
from csipreid.engine.hooks.feature_cache_hook import FeatureCacheHook
from csipreid.engine.hooks.frozen_parts_hook import FrozenPartsHook
from csipreid.engine.hooks.load_pretrained_hook import LoadPretrainedHook
from csipreid.engine.hooks.look_alike_hook import LookAlikeHook
from csipreid.engine.hooks.plain_checkpoint_hook import PlainCheckpointHook
from csipreid.engine.hooks.preemption_hook import PreemptionHook
from csipreid.engine.hooks.prototype_hook import PrototypeHook
from csipreid.engine.hooks.randomness_hook import RandomnessHook
from csipreid.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from csipreid.engine.hooks.skeleton_coverage_hook import SkeletonCoverageHook
from csipreid.engine.hooks.text_prototype_hook import TextPrototypeHook

__all__ = [
    'CollapseHook',
    'DeferredRuntimeInfoHook',
    'FeatureCacheHook',
    'FrozenPartsHook',
    'LoadPretrainedHook',
    'LookAlikeHook',
    'PlainCheckpointHook',
    'PreemptionHook',
    'PrototypeHook',
    'RandomnessHook',
    'SafeCheckpointHook',
    'SkeletonCoverageHook',
    'TextPrototypeHook',
]
