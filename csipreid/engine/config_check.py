"""Checks of all that a config names, before anything is built from it."""

import difflib
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope, Registry
from mmengine.runner import Runner
from mmengine.utils.dl_utils import set_multi_processing
from torch import nn
from torch.utils.data import DataLoader

from csipreid.engine.loss_calls import is_loss_slot, why_loss_does_not_fit
from csipreid.engine.signatures import Signature, describe, fits, signature_of
from csipreid.registry import (
    DATA_SAMPLERS,
    DATASETS,
    EVALUATOR,
    FUNCTIONS,
    HOOKS,
    LOG_PROCESSORS,
    LOOPS,
    METRICS,
    MODEL_WRAPPERS,
    MODELS,
    OPTIM_WRAPPER_CONSTRUCTORS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    RUNNERS,
    TRANSFORMS,
    VISBACKENDS,
    VISUALIZERS,
    WEIGHT_INITIALIZERS,
)

# Arguments whose configs are of another kind than what they belong to.
_PARTS = dict(
    act_cfg=MODELS,
    batch_sampler=DATA_SAMPLERS,
    collate_fn=FUNCTIONS,
    conv_cfg=MODELS,
    dataset=DATASETS,
    datasets=DATASETS,
    init_cfg=WEIGHT_INITIALIZERS,
    metrics=METRICS,
    norm_cfg=MODELS,
    optimizer=OPTIMIZERS,
    pipeline=TRANSFORMS,
    sampler=DATA_SAMPLERS,
    transforms=TRANSFORMS,
    vis_backends=VISBACKENDS,
    worker_init_fn=FUNCTIONS,
)
# What whoever builds them adds. What a model adds to its parts only the model knows.
_GIVEN: dict[str, set[str]] = {
    DATA_SAMPLERS.name: {'dataset', 'sampler', 'batch_size'},
    DATASETS.name: set(),
    HOOKS.name: set(),
    LOOPS.name: {'runner', 'dataloader', 'evaluator'},
    METRICS.name: set(),
    OPTIMIZERS.name: {'params'},
    PARAM_SCHEDULERS.name: {'optimizer'},
    TRANSFORMS.name: set(),
}
# What whoever builds them takes out.
_TAKEN = {
    HOOKS.name: {'priority'},
    OPTIM_WRAPPERS.name: {'constructor', 'paramwise_cfg', 'optimizer'},
    PARAM_SCHEDULERS.name: {'convert_to_iter_based'},
}
_LOADER_KEYS = {'num_batch_per_epoch', 'disable_subprocess_warning'}
_ENVIRONMENT_KEYS = {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'}
# Arguments of the runner that are values, and no configs.
_PLAIN = ('default_scope', 'experiment_name', 'launcher', 'load_from', 'log_level', 'resume')
# Libraries whose arguments of the names above are configs; another's may be anything.
_LIBRARIES = ('csipreid', 'mmengine', 'mmcv', 'mmpretrain')


def check_config(cfg: Config) -> None:
    """Check every type that a config names, and every argument, against its constructor.

    Nothing is built and no data is read.

    Args:
        cfg: Config of a run, as it will be built.

    Raises:
        ValueError: If a type is unknown, or an argument is unknown, missing or of another
            type; it names the key and the nearest right name.
    """
    arguments = signature_of(Runner).arguments
    for name in _PLAIN:
        value, hint = cfg.get(name), arguments[name].hint
        if value is not None and not fits(value, hint):
            raise ValueError(f'{name} must be {describe(hint)}, got {value!r}')
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope') or 'csipreid'):
        _check_kind('runner_type', RUNNERS, cfg.get('runner_type', 'Runner'))
        _check(cfg, 'model', MODELS)
        for name in ('train', 'val', 'test'):
            _check_loop(cfg, f'{name}_cfg')
            if cfg.get(f'{name}_dataloader') is not None:
                _check_loader(f'{name}_dataloader', cfg[f'{name}_dataloader'])
        for key in ('val_evaluator', 'test_evaluator'):
            custom = isinstance(cfg.get(key), dict) and 'metrics' in cfg[key]
            _check(cfg, key, EVALUATOR if custom else METRICS, 'Evaluator' if custom else None)
        _check_optimisation(cfg)
        for name, hook in _dict('default_hooks', cfg.get('default_hooks')).items():
            _check_item(f'default_hooks.{name}', HOOKS, hook)
        _check(cfg, 'custom_hooks', HOOKS)
        _check(cfg, 'visualizer', VISUALIZERS, 'Visualizer')
        _check(cfg, 'log_processor', LOG_PROCESSORS, 'LogProcessor')
        _check(cfg, 'model_wrapper_cfg', MODEL_WRAPPERS, 'MMDistributedDataParallel')
        _check_settings(cfg)


def _check(cfg: Config, key: str, registry: Registry, default: str | None = None) -> None:
    """Check a key of the top level."""
    _check_item(key, registry, cfg.get(key), default)


def _check_loop(cfg: Config, key: str) -> None:
    """Check a loop, whose type may be left to MMEngine."""
    loop = cfg.get(key)
    if isinstance(loop, dict) and 'type' not in loop:
        kinds = dict(val_cfg='ValLoop', test_cfg='TestLoop')
        by_epoch = loop.get('by_epoch', True)
        kind = kinds.get(key, 'EpochBasedTrainLoop' if by_epoch else 'IterBasedTrainLoop')
        loop = {name: value for name, value in loop.items() if name != 'by_epoch'}
        _check_item(key, LOOPS, loop, kind)
    else:
        _check_item(key, LOOPS, loop)


def _check_loader(path: str, loader: Any) -> None:
    """Check a data loader and its data set and sampler."""
    loader = _dict(path, loader)
    signature = signature_of(DataLoader)
    _check_names(path, loader, {*signature.arguments, *_LOADER_KEYS}, 'a data loader')
    for name in ('dataset', 'sampler'):
        if loader.get(name) is None:
            raise ValueError(f'{path} has no {name}')
    for name, value in loader.items():
        if name in _PARTS:
            _check_item(f'{path}.{name}', _PARTS[name], value)
    for name in ('batch_size', 'num_workers'):
        value = loader.get(name, 0)
        if not fits(value, int) or value < (name == 'batch_size' and name in loader):
            raise ValueError(f'{path}.{name} must be a whole number, got {value!r}')
    sampler = loader['sampler']
    size = sampler.get('batch_size') if isinstance(sampler, dict) else None
    if size is not None and size != loader.get('batch_size', 1):
        raise ValueError(
            f'{path}.batch_size is {loader.get("batch_size", 1)} and {path}.sampler.batch_size is '
            f'{size}: a batch would hold parts of several plans of the sampler; set both alike'
        )


def _check_optimisation(cfg: Config) -> None:
    """Check optimiser and schedules."""
    wrapper = cfg.get('optim_wrapper')
    if isinstance(wrapper, dict):
        constructor = wrapper.get('constructor', 'DefaultOptimWrapperConstructor')
        kind = _check_kind('optim_wrapper.constructor', OPTIM_WRAPPER_CONSTRUCTORS, constructor)
        _check_item('optim_wrapper.optimizer', OPTIMIZERS, wrapper.get('optimizer'))
        kind(dict(wrapper), wrapper.get('paramwise_cfg'))  # it checks its rules itself
    _check_item('optim_wrapper', OPTIM_WRAPPERS, wrapper, 'OptimWrapper')
    schedules = cfg.get('param_scheduler')
    if isinstance(schedules, dict) and 'type' not in schedules:  # one for each optimiser
        for name, item in schedules.items():
            _check_item(f'param_scheduler.{name}', PARAM_SCHEDULERS, item)
    else:
        _check_item('param_scheduler', PARAM_SCHEDULERS, schedules)


def _check_settings(cfg: Config) -> None:
    """Check the keys that hold arguments without a type."""
    environment = _dict('env_cfg', cfg.get('env_cfg'))
    _check_names('env_cfg', environment, _ENVIRONMENT_KEYS, 'the environment')
    wrapper = cfg.get('optim_wrapper')
    clipping = dict(wrapper.get('clip_grad') or {}) if isinstance(wrapper, dict) else {}
    by_value = clipping.pop('type', 'norm') == 'value'
    clip = nn.utils.clip_grad_value_ if by_value else nn.utils.clip_grad_norm_
    functions: list[tuple[str, Any, Callable, set[str]]] = [
        ('optim_wrapper.clip_grad', clipping, clip, {'parameters'}),
        ('env_cfg.mp_cfg', environment.get('mp_cfg'), set_multi_processing, {'distributed'}),
        ('randomness', cfg.get('randomness'), Runner.set_randomness, {'self'}),
        ('compile', cfg.get('compile') or None, torch.compile, {'model'}),
    ]
    for path, value, function, given in functions:
        if not isinstance(value, bool):
            known = set(inspect.signature(function).parameters) - given
            _check_names(path, _dict(path, value), known, path)
    scaling = _dict('auto_scale_lr', cfg.get('auto_scale_lr'))
    _check_names('auto_scale_lr', scaling, {'enable', 'base_batch_size'}, 'auto_scale_lr')


def _check_item(path: str, registry: Registry, node: Any, default: str | None = None) -> None:
    """Check a config, or each of a list, and all that stands below it."""
    if isinstance(node, list | tuple):
        for index, item in enumerate(node):
            _check_item(f'{path}.{index}', registry, item, default)
        return
    if node is None or (not isinstance(node, dict | str | int | float)):  # built already
        return
    node = _dict(path, node)
    name = node.get('type', default)
    if name is None:
        raise ValueError(f'{path} has no type, got {dict(node)}')
    kind = _check_kind(f'{path}.type', registry, name)
    signature = signature_of(kind)
    _check_arguments(path, node, signature, registry, _name(kind))
    for key, value in node.items():
        argument = signature.arguments.get(key)
        owner = getattr(argument.owner, '__module__', '') if argument else ''
        library = owner.split('.')[0]
        if library not in _LIBRARIES or argument is None:
            continue
        if key.endswith('dataloader') and isinstance(value, dict):
            _check_loader(f'{path}.{key}', value)
        elif key in _PARTS:
            if key == 'norm_cfg' and isinstance(value, dict):  # mmcv takes that one out
                value = {name: item for name, item in value.items() if name != 'requires_grad'}
            _check_item(f'{path}.{key}', _PARTS[key], value)
        elif key == 'backbone' and library == 'csipreid':
            with DefaultScope.overwrite_default_scope('mmpretrain'):
                _check_item(f'{path}.{key}', MODELS, value)
        elif library == 'csipreid' and (_holds_type(value) or argument.hint in (dict, dict | None)):
            part = registry if _holds_type(value) or registry.name == MODELS.name else None
            if part is not None:
                _check_item(f'{path}.{key}', part, value)
        if registry.name == MODELS.name and is_loss_slot(key) and isinstance(value, dict):
            _check_loss(f'{path}.{key}', kind, key, value)


def _check_loss(path: str, model: Any, slot: str, node: dict) -> None:
    """Refuse a loss that cannot be called as its model calls it."""
    if node.get('type') is None:
        return
    kind = _check_kind(f'{path}.type', MODELS, node['type'])
    reason = why_loss_does_not_fit(model, slot, kind)
    if reason:
        raise ValueError(f'{path}: {_name(kind)} does not fit {_name(model)}: it {reason}')


def _check_kind(path: str, registry: Registry, name: Any) -> Any:
    """Return the class of a name, or refuse it."""
    if not isinstance(name, str):
        if not callable(name):
            raise ValueError(f'{path} must be the name of a {registry.name}, got {name!r}')
        return name
    with registry.switch_scope_and_registry(None) as chosen:
        try:
            kind = chosen.get(name)
        except Exception:  # MMEngine tries to import what it does not know
            kind = None
        if kind is not None:
            return kind
        known: set[str] = set()
        node: Registry | None = chosen
        while node is not None:
            known |= set(node.module_dict)
            node = node.parent
    raise ValueError(
        f'{path}: there is no {registry.name} {name!r}{_hint(name, known, "there are")}'
    )


def _check_arguments(
    path: str, node: dict, signature: Signature, registry: Registry, kind: str
) -> None:
    """Compare the keys of a config with what its class takes."""
    given = _GIVEN.get(registry.name, set())
    known = set(signature.arguments) - given
    special = _TAKEN.get(registry.name, set()) | {'type', '_scope_'}
    for key, value in node.items():
        if key in special:
            continue
        if key not in signature.arguments:
            close = difflib.get_close_matches(str(key), known, n=1, cutoff=0.8)
            if not signature.takes_others or close:
                _check_names(path, {key: value}, known, kind)
            continue
        owner, hint, _ = signature.arguments[key]
        if getattr(owner, '__module__', '').startswith('csipreid.') and not fits(value, hint):
            raise ValueError(f'{path}.{key} of {kind} must be {describe(hint)}, got {value!r}')
    if registry.name in _GIVEN:
        there = given | set(node)
        missing = [n for n, a in signature.arguments.items() if a.required and n not in there]
        if missing:
            raise ValueError(f'{path}: {kind} needs {", ".join(missing)}')


def _check_names(path: str, node: dict, known: Iterable[str], kind: str) -> None:
    """Refuse a key that is not known."""
    for key in node:
        if key not in known:
            raise ValueError(f'{path}.{key}: {kind} takes no {key!r}{_hint(str(key), known)}')


def _hint(name: str, known: Iterable[str], verb: str = 'it takes') -> str:
    """Name the nearest right name, or all if there are few."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if close:
        return f'; did you mean {close[0]!r}?'
    return f'; {verb} {", ".join(known)}' if 0 < len(known) <= 20 else ''


def _dict(path: str, node: Any) -> dict:
    """Return a config, empty for None."""
    if node is not None and not isinstance(node, dict):
        raise ValueError(f'{path} must be a dict of settings, got {node!r}')
    return node or {}


def _holds_type(value: Any) -> bool:
    """Tell whether a value is a config of a part, or a list of such."""
    items = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(item, dict) and 'type' in item for item in items)


def _name(kind: Any) -> str:
    """Name a class or function."""
    return getattr(kind, '__name__', str(kind))
