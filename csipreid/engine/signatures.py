"""What a class or function can be given by name, found without building it."""

import ast
import functools
import inspect
import textwrap
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from torch import nn


class Argument(typing.NamedTuple):
    """An argument of a constructor.

    Attributes:
        owner: The class or function that declares it.
        hint: Its type; None where it is not known.
        required: Whether it has no default.
    """

    owner: Any
    hint: Any
    required: bool


@dataclass(frozen=True)
class Signature:
    """The arguments of a constructor that have names.

    Attributes:
        arguments: By name.
        takes_others: Whether there may be more, which only running it would tell.
    """

    arguments: Mapping[str, Argument]
    takes_others: bool


class _Passed(typing.NamedTuple):
    """What a constructor hands to that of its base class besides ``**kwargs``.

    Attributes:
        places: Number of arguments by their place.
        names: Arguments by name.
        alone: Whether that is all it does with ``**kwargs``.
    """

    places: int = 0
    names: frozenset[str] = frozenset()
    alone: bool = True


@functools.cache
def signature_of(kind: Callable) -> Signature:
    """Return what a class or function can be given, base classes included.

    ``**kwargs`` are followed where a constructor hands them to that of its base class.

    Args:
        kind: Class, function or other callable.
    """
    arguments: dict[str, Argument] = {}
    if not inspect.isclass(kind):
        try:
            return Signature(arguments, _add(arguments, kind, kind, _Passed()))
        except (TypeError, ValueError):  # written in C, and silent
            return Signature({}, True)
    passed, takes_others = _Passed(), False
    for base in kind.__mro__:
        init = base.__dict__.get('__init__')
        if base in (nn.Module, object):  # they take nothing
            break
        if init is None:
            continue
        if not _add(arguments, base, init, passed):
            break
        forwarded = _forwarded(init)
        if forwarded is None:
            takes_others = True
            break
        takes_others |= not forwarded.alone
        passed = _Passed(forwarded.places, passed.names | forwarded.names)
    return Signature(arguments, takes_others)


def _add(arguments: dict[str, Argument], owner: Any, function: Callable, passed: _Passed) -> bool:
    """Add the arguments of one constructor; return whether it takes others besides."""
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # annotations that cannot be looked up tell nothing
        hints = {}
    parameters = list(inspect.signature(function).parameters.values())
    if inspect.isclass(owner):
        parameters = parameters[1 + passed.places :]  # the first is self
    for parameter in parameters:
        named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if named and parameter.name not in passed.names:
            required = parameter.default is parameter.empty
            argument = Argument(owner, hints.get(parameter.name), required)
            arguments.setdefault(parameter.name, argument)
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)


def _forwarded(init: Callable) -> _Passed | None:
    """Return what a constructor hands to ``super().__init__``; None if not ``**kwargs``."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(init)))
    except (OSError, TypeError, SyntaxError):
        return None
    function = tree.body[0]
    if not isinstance(function, ast.FunctionDef) or function.args.kwarg is None:
        return None
    name = function.args.kwarg.arg
    calls = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == '__init__'
        and isinstance(node.func.value, ast.Call)
        and isinstance(node.func.value.func, ast.Name)
        and node.func.value.func.id == 'super'
        and any(keyword.arg is None for keyword in node.keywords)
    ]
    uses = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name]
    if len(calls) != 1:
        return None
    places = sum(not isinstance(argument, ast.Starred) for argument in calls[0].args)
    names = frozenset(k.arg for k in calls[0].keywords if k.arg is not None)
    return _Passed(places, names, alone=len(uses) == 1)


def fits(value: Any, hint: Any) -> bool:
    """Tell whether a value of a config can be what a type says.

    Lists stand for tuples, and whole numbers for others. What is not a plain type
    fits everything.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, part) for part in inner)
    if origin is Literal:
        return any(value == choice and type(value) is type(choice) for choice in inner)
    if hint is type(None):
        return value is None
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (bool, str):
        return isinstance(value, hint)
    if hint is dict or origin is dict or origin is Mapping:
        return isinstance(value, dict)
    if origin is tuple and inner and inner[-1] is not Ellipsis:
        return (
            isinstance(value, list | tuple)
            and len(value) == len(inner)
            and all(fits(item, part) for item, part in zip(value, inner, strict=True))
        )
    if origin in (list, tuple, Sequence):
        part = inner[0] if inner else Any
        return isinstance(value, list | tuple) and all(fits(item, part) for item in value)
    return True


def describe(hint: Any) -> str:
    """Name a type for people."""
    if get_origin(hint) is Literal:
        return ' or '.join(repr(choice) for choice in get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return ' or '.join(describe(part) for part in get_args(hint))
    if hint is type(None):
        return 'None'
    return getattr(hint, '__name__', str(hint)) if not get_args(hint) else str(hint)
