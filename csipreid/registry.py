"""Registries of the toolbox: one child for every registry of MMEngine.

A child exists for each parent, also for those in which the toolbox registers
nothing, because MMEngine warns once per look-up in a scope that lacks one.
"""

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry

# Packages of ours that fill a registry; they are imported on its first look-up.
_LOCATIONS = {
    'DATASETS': ['csipreid.datasets'],
    'DATA_SAMPLERS': ['csipreid.datasets'],
    'FUNCTIONS': ['csipreid.datasets'],
    'TRANSFORMS': ['csipreid.datasets.transforms'],
    'MODELS': ['csipreid.models', 'csipreid.pretrained_weights'],
    'METRICS': ['csipreid.evaluation'],
    'HOOKS': ['csipreid.engine'],
    'INFERENCERS': ['csipreid.apis'],
    'LOOPS': ['csipreid.engine'],
    'MODEL_WRAPPERS': ['csipreid.engine'],
    'RUNNERS': ['csipreid.engine'],
    'OPTIM_WRAPPERS': ['csipreid.engine'],
    'OPTIM_WRAPPER_CONSTRUCTORS': ['csipreid.engine'],
    'PARAM_SCHEDULERS': ['csipreid.engine'],
    'TASK_UTILS': ['csipreid.pose_estimation'],
    'VISUALIZERS': ['csipreid.visualization'],
    'WEIGHT_INITIALIZERS': ['csipreid.engine', 'csipreid.pretrained_weights'],
}


def _child(variable: str) -> Registry:
    """Make the toolbox's child of one of MMEngine's registries."""
    parent = getattr(mmengine_registry, variable)
    locations = _LOCATIONS.get(variable, ['csipreid.registry'])
    return Registry(parent.name, parent=parent, scope='csipreid', locations=locations)


DATASETS = _child('DATASETS')
DATA_SAMPLERS = _child('DATA_SAMPLERS')
EVALUATOR = _child('EVALUATOR')
FUNCTIONS = _child('FUNCTIONS')
HOOKS = _child('HOOKS')
INFERENCERS = _child('INFERENCERS')
LOG_PROCESSORS = _child('LOG_PROCESSORS')
LOOPS = _child('LOOPS')
METRICS = _child('METRICS')
MODELS = _child('MODELS')
MODEL_WRAPPERS = _child('MODEL_WRAPPERS')
OPTIMIZERS = _child('OPTIMIZERS')
OPTIM_WRAPPERS = _child('OPTIM_WRAPPERS')
OPTIM_WRAPPER_CONSTRUCTORS = _child('OPTIM_WRAPPER_CONSTRUCTORS')
PARAM_SCHEDULERS = _child('PARAM_SCHEDULERS')
RUNNERS = _child('RUNNERS')
RUNNER_CONSTRUCTORS = _child('RUNNER_CONSTRUCTORS')
STRATEGIES = _child('STRATEGIES')
TASK_UTILS = _child('TASK_UTILS')
TRANSFORMS = _child('TRANSFORMS')
VISBACKENDS = _child('VISBACKENDS')
VISUALIZERS = _child('VISUALIZERS')
WEIGHT_INITIALIZERS = _child('WEIGHT_INITIALIZERS')
