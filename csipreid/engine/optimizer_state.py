"""The state of an optimiser in a checkpoint, without its settings."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.optim import OptimWrapper
from torch import Tensor, nn

# Settings that tell one family of optimisers from another, whose state is another.
_CHARACTER = {'betas', 'momentum', 'alpha', 'rho', 'lambd', 'etas', 'lr_decay'}


def parameter_names(model: nn.Module, optim_wrapper: OptimWrapper) -> list[str]:
    """Name the parameters of an optimiser in its order; '' if the model has not got one."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = optim_wrapper.optimizer.param_groups
    return [names.get(id(parameter), '') for group in groups for parameter in group['params']]


def restore_optimizer(
    optim_wrapper: OptimWrapper,
    saved: Mapping[str, Any],
    names: tuple[Any, Sequence[str]],
    source: str,
) -> None:
    """Give an optimiser the moments of a checkpoint; its settings stay as it was built.

    Where the checkpoint names the parameters, each gets its own moments even if the
    groups are others now.

    Args:
        optim_wrapper: Wrapper of the optimiser, new.
        saved: State of the other one.
        names: Parameters of the checkpoint, if it names them, and of now.
        source: What it is, for the error message.

    Raises:
        ValueError: If the state is that of another kind of optimiser or of other
            parameters.
    """
    groups = optim_wrapper.optimizer.param_groups
    theirs = saved['param_groups']
    for group in theirs[:1]:
        ours, other = (_CHARACTER & set(g) for g in (groups[0], group))
        if ours != other:
            raise ValueError(
                f'{source} was trained with another optimiser: one with {sorted(other)}, that of '
                f'the config has {sorted(ours)}; keep the optimiser, or begin anew from the '
                'weights with load_from'
            )
    before, now = names
    numbers = [number for group in theirs for number in group['params']]
    parameters = [parameter for group in groups for parameter in group['params']]
    named = isinstance(before, list) and len(before) == len(numbers)
    if named and sorted(map(str, before)) == sorted(now):
        number_of = dict(zip(map(str, before), numbers, strict=True))
        numbers = [number_of[name] for name in now]
    elif isinstance(before, list) or [len(group['params']) for group in theirs] != [
        len(g['params']) for g in groups
    ]:
        raise ValueError(
            f'{source} was trained with groups of {[len(g["params"]) for g in theirs]} parameters, '
            f'the optimiser has groups of {[len(g["params"]) for g in groups]}, or others; keep '
            'paramwise_cfg and what is frozen, or begin anew from the weights with load_from'
        )
    state = {}
    for place, (number, parameter) in enumerate(zip(numbers, parameters, strict=True)):
        if number in saved['state']:
            state[place] = saved['state'][number]
            _check_moments(state[place], parameter, 'fused' in groups[0], source)
    places = iter(range(len(parameters)))
    described = [
        dict(group, params=list(itertools.islice(places, len(group['params'])))) for group in groups
    ]
    content: dict[str, Any] = dict(state=state, param_groups=described)
    if 'loss_scaler' in saved:
        content['loss_scaler'] = saved['loss_scaler']
    try:
        optim_wrapper.load_state_dict(content)
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError) as error:
        raise ValueError(f'{source}: the optimiser does not take its state ({error})') from error


def _check_moments(
    moments: Mapping[str, Any], parameter: Tensor, are_shaped: bool, source: str
) -> None:
    """Refuse what cannot be the moments of a parameter.

    A fused kernel reads beyond the end of moments that are too small.
    """
    for name, value in moments.items():
        fits = value is None or isinstance(value, int | float | Tensor)
        if are_shaped and isinstance(value, Tensor) and name != 'step':
            fits = value.shape == parameter.shape
        if not fits:
            raise ValueError(
                f'{source}: {name} of the optimiser must be numbers of shape '
                f'{tuple(parameter.shape)}, got a {type(value).__name__} of shape '
                f'{tuple(getattr(value, "shape", ()))}; the state is that of another model'
            )
