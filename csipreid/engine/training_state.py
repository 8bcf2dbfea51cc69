"""The state of a training in a checkpoint, and how a run goes on from it.

What the config of now says holds: rates, weight decay and schedules are never taken
from a checkpoint that was written under another config. Nothing in a checkpoint is
evaluated; MMEngine's own way to resume runs the text of ``meta['config']`` as Python.
"""

from collections.abc import Mapping
from typing import Any

from mmengine.runner import EpochBasedTrainLoop

from csipreid.engine.optimizer_state import parameter_names, restore_optimizer
from csipreid.engine.run_settings import changed_settings, run_settings
from csipreid.engine.schedule_state import restore_schedules

# Of this run, whatever the one before it was.
_OWN_INFO = ('cfg', 'seed', 'experiment_name', 'max_epochs', 'max_iters')


def check_training_state(checkpoint: Mapping[str, Any], source: str) -> None:
    """Refuse a checkpoint that does not hold the state of a training.

    Args:
        checkpoint: As :func:`csipreid.checkpoint.read_checkpoint` returns it.
        source: What it is, for the error message.

    Raises:
        ValueError: If something is missing or is of another kind.
    """
    meta = checkpoint.get('meta') or {}
    hub, optimizer = checkpoint.get('message_hub'), checkpoint.get('optimizer')
    if hub is None or optimizer is None or not {'epoch', 'iter'} <= set(meta):
        raise ValueError(f'{source} holds weights, not the state of a run')
    for name in ('epoch', 'iter', 'seed', 'epoch_length'):
        value = meta.get(name, 0)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise ValueError(f'{source}: meta.{name} must be a whole number, got {value!r:.60}')
    groups = optimizer.get('param_groups') if isinstance(optimizer, Mapping) else None
    schedules = checkpoint.get('param_schedulers') or []
    if (
        not isinstance(groups, list)
        or not all(isinstance(g, Mapping) and isinstance(g.get('params'), list) for g in groups)
        or not all(isinstance(number, int) for g in groups for number in g['params'])
        or not isinstance(optimizer.get('state'), Mapping)
        or not all(isinstance(state, Mapping) for state in optimizer['state'].values())
        or not isinstance(hub, Mapping)
        or not all(isinstance(hub.get(k), Mapping) for k in ('runtime_info', 'resumed_keys'))
        or not isinstance(schedules, list)
        or not all(isinstance(schedule, Mapping) for schedule in schedules)
    ):
        raise ValueError(
            f'{source}: the state of the optimiser, of the schedules or of the run is not what a '
            'training writes; it cannot be resumed'
        )


def training_meta(runner: Any) -> dict[str, Any]:
    """Return what a checkpoint says of a training, beside what MMEngine writes."""
    return dict(
        epoch_length=len(runner.train_dataloader),
        settings=run_settings(runner.cfg, runner.optim_wrapper),
        parameters=parameter_names(runner.bare_model, runner.optim_wrapper),
    )


def resume_training(runner: Any, checkpoint: dict[str, Any], source: str) -> None:
    """Bring position, optimiser, schedules and notes of a run to where a checkpoint is.

    Args:
        runner: Its optimiser and schedules are built and new; its model is filled.
        checkpoint: One that passed :func:`check_training_state`.
        source: What it is, for messages.

    Raises:
        ValueError: If it does not fit the optimiser, or was written in the midst of
            an epoch of another number of batches.
    """
    meta = checkpoint['meta']
    _compare(runner, meta, source)
    _resume_position(runner, meta, source)
    _resume_seed(runner, meta)
    hub = checkpoint['message_hub']
    info = {key: value for key, value in hub['runtime_info'].items() if key not in _OWN_INFO}
    keys = {key: bool(value) for key, value in hub['resumed_keys'].items() if key in info}
    runner.message_hub.load_state_dict(dict(log_scalars={}, runtime_info=info, resumed_keys=keys))
    names = meta.get('parameters'), parameter_names(runner.bare_model, runner.optim_wrapper)
    restore_optimizer(runner.optim_wrapper, checkpoint['optimizer'], names, source)
    if runner.param_schedulers is not None:
        saved = checkpoint.get('param_schedulers') or []
        changes = restore_schedules(runner, saved, checkpoint['optimizer'], source)
        if changes:
            runner.logger.warning(
                f'the schedule of {source} is not that of the config ({changes}); from here on '
                'the rates are those of a new run of the config at '
                f'epoch {runner.epoch}, iteration {runner.iter}'
            )


def _compare(runner: Any, meta: Mapping[str, Any], source: str) -> None:
    """Warn, by name, of settings other than those a checkpoint was written under."""
    before = meta.get('settings')
    now = run_settings(runner.cfg, runner.optim_wrapper)
    if not isinstance(before, Mapping) or not all(
        isinstance(text, str) for pair in before.items() for text in pair
    ):
        runner.logger.warning(
            f'{source} does not say under which settings it was written; those of now hold'
        )
        return
    changes = changed_settings(before, now)
    if changes:
        runner.logger.warning(
            f'{source} was written under other settings; from here on those of now hold: {changes}'
        )


def _resume_position(runner: Any, meta: Mapping[str, Any], source: str) -> None:
    """Set epoch and iteration of the loop."""
    loop = runner.train_loop
    now = len(runner.train_dataloader)
    epoch, iteration = meta['epoch'], meta['iter']
    # An old checkpoint that does not say the length was written at the end of an epoch.
    implied = iteration // epoch if epoch and iteration % epoch == 0 else now
    before = meta.get('epoch_length', implied)
    done = iteration - epoch * before
    if isinstance(loop, EpochBasedTrainLoop) and not 0 <= done <= before:
        raise ValueError(
            f'{source}: iteration {iteration} is not in epoch {epoch} of {before} batches each'
        )
    if done and before != now:
        raise ValueError(
            f'{source} was written after {done} of the {before} batches of an epoch, which has '
            f'{now} batches now; resume with the batch size and the number of processes of then, '
            'or from the checkpoint of an epoch'
        )
    loop._epoch, loop._iter = epoch, epoch * now + done
    if loop._iter >= loop.max_iters:
        runner.logger.warning(
            f'{source} is of epoch {epoch}, iteration {loop._iter}, and the config ends at '
            f'{loop.max_iters}: nothing is left to train; train_cfg.max_epochs says how far'
        )


def _resume_seed(runner: Any, meta: Mapping[str, Any]) -> None:
    """Go on with the seed that was drawn, if the config leaves it to be drawn."""
    if runner._randomness_cfg.get('seed') is not None or 'seed' not in meta:
        return
    runner._randomness_cfg.update(seed=meta['seed'])
    runner.set_randomness(**runner._randomness_cfg)
    loader = runner.train_dataloader
    for sampler in (loader.sampler, loader.batch_sampler):
        if hasattr(sampler, 'seed'):
            sampler.seed = meta['seed']
