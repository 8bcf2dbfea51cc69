"""Whether a loss can take what a model will give it, found without building either."""

import ast
import functools
import inspect
import textwrap
from typing import Any


def is_loss_slot(name: str) -> bool:
    """Tell whether an argument of a model is the config of a loss, by its name."""
    return 'loss' in name.split('_')


def why_loss_does_not_fit(model: Any, slot: str, loss: Any) -> str | None:
    """Say why a loss cannot be called as a model calls it.

    The calls are read in the source of the model: where it builds an attribute from the
    argument ``slot`` and calls that attribute. What cannot be read is taken to fit, and so
    is a loss that fits one of several calls.

    Args:
        model: Class of the model.
        slot: Name of the argument of its constructor that holds the loss's config.
        loss: Class of the loss.

    Returns:
        What the call holds, what the loss takes and which parameter does not fit; None if
        all do.
    """
    if not inspect.isclass(model) or not inspect.isclass(loss):
        return None
    function = getattr(loss, 'forward', loss.__call__)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # written in C
        return None
    taken = signature.replace(parameters=list(signature.parameters.values())[1:])  # without self
    reasons = [_why(call, taken) for call in _calls(model, slot)]  # type: ignore[arg-type]
    return None if None in reasons else next(iter(reasons), None)


def _why(call: ast.Call, taken: inspect.Signature) -> str | None:
    """Compare a call with what a function takes."""
    if any(isinstance(a, ast.Starred) for a in call.args) or None in [k.arg for k in call.keywords]:
        return None
    named = {str(keyword.arg): keyword.value for keyword in call.keywords}
    given = [*map(ast.unparse, call.args), *(f'{k}={ast.unparse(v)}' for k, v in named.items())]
    reason = None
    try:
        bound = taken.bind(*call.args, **named).arguments
    except TypeError as error:
        by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        places = sum(parameter.kind in by_place for parameter in taken.parameters.values())
        surplus = ', '.join(given[places : len(call.args)])
        reason = f'there is no place for {surplus}' if surplus else f'{error}'
    else:
        for name, value in bound.items():
            variable = getattr(value, 'id', getattr(value, 'attr', name))
            if variable != name and variable in taken.parameters:
                reason = f'its {name} would be {variable}'
    if reason is None:
        return None
    return (
        f'is called with ({", ".join(given)}) and takes ({", ".join(taken.parameters)}): {reason}'
    )


@functools.cache
def _calls(model: type, slot: str) -> list[ast.Call]:
    """Return the calls of the attributes that a class builds from one of its arguments."""
    nodes: list[ast.AST] = []
    for base in model.__mro__:
        if base.__module__.split('.')[0] in ('builtins', 'torch'):
            continue
        try:
            nodes += ast.walk(ast.parse(textwrap.dedent(inspect.getsource(base))))
        except (OSError, TypeError, SyntaxError):  # of no file
            continue
    attributes = {
        target.attr
        for node in nodes
        if isinstance(node, ast.Assign) and slot in _built_from(node.value)
        for target in node.targets
        if isinstance(target, ast.Attribute)
    }
    return [
        node
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in attributes
        and ast.unparse(node.func.value) == 'self'
    ]


def _built_from(value: ast.AST) -> set[str]:
    """Return the names of the configs from which an expression builds something."""
    return {
        call.args[0].id
        for call in ast.walk(value)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == 'build'
        and call.args
        and isinstance(call.args[0], ast.Name)
    }
