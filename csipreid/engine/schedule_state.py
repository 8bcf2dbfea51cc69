"""The state of learning-rate and other schedules in a checkpoint."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from csipreid.engine.hooks.plain_checkpoint_hook import plain
from csipreid.engine.run_settings import changed_settings

# Of a schedule: how far it is, which is no setting.
_PROGRESS = {'last_step', '_global_step', '_last_value', 'verbose'}
_PLATEAU = {'best', 'num_bad_epochs', 'cooldown_counter'}


def restore_schedules(
    runner: Any, saved: Sequence[Mapping[str, Any]], optimizer: Mapping[str, Any], source: str
) -> str:
    """Bring the schedules of a run to its position.

    If the checkpoint's are the same, they get its state, bit by bit; if not, those of
    the config are stepped as often as a new run would have stepped them.

    Args:
        runner: Its schedules are built and new, its position is set.
        saved: State of the other schedules.
        optimizer: State of their optimiser.
        source: What they are, for the error message.

    Returns:
        How the schedules differ; empty if they are the same.

    Raises:
        ValueError: If they differ and depend on what was measured meanwhile.
    """
    schedules = runner.param_schedulers
    changes = [f'{len(saved)} schedules -> {len(schedules)}'] * (len(saved) != len(schedules))
    for schedule, before in zip(schedules, saved, strict=False):
        theirs, ours = _static(before), _static(plain(schedule.state_dict()))
        texts = [{key: repr(value) for key, value in part.items()} for part in (theirs, ours)]
        if theirs != ours:
            changes.append(f'{type(schedule).__name__}: {changed_settings(*texts)}')
    groups: list[Any] = [*optimizer['param_groups'], optimizer.get('base_param_settings')]
    ours_groups = runner.optim_wrapper.param_groups
    names = {schedule.param_name for schedule in schedules}
    if not changes and all(
        isinstance(group, Mapping) and isinstance(group.get(name), float | int | tuple)
        for name in names
        for group in groups[: len(ours_groups)]
    ):
        for schedule, before in zip(schedules, saved, strict=True):
            schedule.load_state_dict(dict(before))
        for group, before in zip(ours_groups, groups, strict=False):
            group.update({name: before[name] for name in names})
        return ''
    if any(getattr(schedule, 'need_val_args', False) for schedule in schedules):
        raise ValueError(
            f'{source} has another schedule ({"; ".join(changes)}), and one of the config depends '
            'on earlier evaluations; keep param_scheduler, or begin anew from the weights with '
            'load_from'
        )
    _replay(runner)
    return '; '.join(changes) or 'its rates are missing'


def _static(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the state of a schedule are settings."""
    return {key: value for key, value in state.items() if key not in _PROGRESS | _PLATEAU}


def _replay(runner: Any) -> None:
    """Step new schedules as a new run steps them until the position of the loop."""
    loop = runner.train_loop
    schedules = runner.param_schedulers
    by_iteration = [schedule for schedule in schedules if not schedule.by_epoch]
    length = len(runner.train_dataloader)
    with warnings.catch_warnings():
        # MMEngine warns of steps before the first of the optimiser.
        warnings.simplefilter('ignore', UserWarning)
        for iteration in range(min(loop.iter, loop.max_iters)):
            for schedule in by_iteration:
                schedule.step()
            if (iteration + 1) % length == 0 and (iteration + 1) // length <= loop.epoch:
                for schedule in schedules:
                    if schedule.by_epoch:
                        schedule.step()
