"""Configs that are kept as text in a checkpoint, read without running the text."""

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

_LONGEST = 10**6  # characters; the configs here have less than 20,000


def parse_config(text: str, source: str) -> Config:
    """Read the text that ``Config.pretty_text`` gives.

    MMEngine's own reader runs the text as a program. Here it may only assign values, lists,
    tuples and dicts (also in the form ``dict(key=value)``) to names.

    Args:
        text: The config, resolved: without ``_base_``.
        source: Where it was found, for messages.

    Raises:
        ValueError: If it is anything else.
    """
    try:
        if not isinstance(text, str) or len(text) > _LONGEST:
            raise ValueError('no text of a config')
        content = dict(_assignments(ast.parse(text)))
        return Config(content)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError, KeyError) as error:
        reason = str(error).partition('\n')[0] or type(error).__name__
        raise ValueError(
            f'the config in {source} cannot be read ({reason}); give the config file as well'
        ) from error


def check_types(node: Any, known: Mapping[str, Any], source: str) -> None:
    """Refuse a type that is no registered class; MMEngine would import it from anywhere.

    Args:
        node: Part of a config; all that lies in it is looked at.
        known: What is registered, by name; a scope before the name (``mmpretrain.``) counts not.
        source: Where the config was found, for messages.

    Raises:
        ValueError: If there is one.
    """
    if isinstance(node, dict):
        kind = node.get('type')
        if kind is not None and (
            not isinstance(kind, str) or kind.count('.') > 1 or kind.split('.')[-1] not in known
        ):
            raise ValueError(f'the config in {source} names {kind!r:.80}, which is no known type')
        for value in node.values():
            check_types(value, known, source)
    elif isinstance(node, list | tuple):
        for value in node:
            check_types(value, known, source)


def _assignments(tree: ast.Module) -> Iterator[tuple[str, Any]]:
    """Yield names and values."""
    for line in tree.body:
        target = line.targets[0] if isinstance(line, ast.Assign) else None
        if not isinstance(line, ast.Assign) or not isinstance(target, ast.Name):
            raise ValueError(f'line {line.lineno} is no assignment of a value')
        yield target.id, _value(line.value)


def _value(node: ast.expr) -> Any:
    """Return a value that is written out."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        merged: dict = {}
        for argument in node.args:
            merged.update(_value(argument))
        for keyword in node.keywords:
            merged.update({keyword.arg: _value(keyword.value)} if keyword.arg else {})
            if keyword.arg is None:
                merged.update(_value(keyword.value))
        return merged
    if isinstance(node, ast.List):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(item) for item in node.elts)
    if isinstance(node, ast.Dict):
        if None in node.keys:
            raise ValueError(f'line {node.lineno} merges dicts')
        keys = [_value(key) for key in node.keys if key is not None]
        return dict(zip(keys, map(_value, node.values), strict=True))
    return ast.literal_eval(node)
