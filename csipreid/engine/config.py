"""What the command-line tools do to a config before a runner is built."""

import difflib
import inspect
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

# Top-level names with a meaning of their own, besides the runner's arguments.
_EXTRA = (
    'runner_type',
    'model_wrapper_cfg',
    'find_unused_parameters',
    'sync_bn',
    'compile',
    'activation_checkpointing',
    'efficient_conv_bn_eval',
    'train_pipeline',
    'test_pipeline',
)
# Those that Python code reads, but no runner: it has copies of them below its own keys.
_COPIED = frozenset({'train_pipeline', 'test_pipeline'})
RUNNER_KEYS = frozenset(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'} | set(
    _EXTRA
)
_SHOWN = 8  # keys named in an error before "and n more"


def read_config(path: str | Path) -> Config:
    """Read a config file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read; it names the line where there is one.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'config {path} not found; see the folder configs/')
    try:
        return Config.fromfile(path)
    except Exception as error:  # a config is Python: anything may be wrong with it
        suffixes = ('.py', '.json', '.yaml', '.yml')
        if not str(path).endswith(suffixes):
            raise ValueError(f'config {path} must end in {", ".join(suffixes)}') from error
        frames = traceback.extract_tb(error.__traceback__)
        named = [f.lineno for f in frames if Path(f.filename) == Path(path).absolute()]
        place = f', line {named[-1]}' if named else ''
        reason = ' '.join(str(error).split())
        raise ValueError(
            f'config {path}{place} cannot be read: {type(error).__name__}: {reason}'
        ) from error


def check_top_level_keys(cfg: Config) -> None:
    """Refuse a top-level key that looks like a misspelt one.

    MMEngine ignores keys that it does not know, because configs hold
    intermediate variables beside the runner's arguments. A name close to one
    of those arguments, but different, is taken for a mistake.

    Raises:
        ValueError: If a key is one or two letters away from a known one.
    """
    for key in cfg:
        if key in RUNNER_KEYS:
            continue
        close = difflib.get_close_matches(key, RUNNER_KEYS, n=1, cutoff=0.85)
        if close:
            raise ValueError(
                f'config {cfg.filename} sets {key!r}, which nothing reads; '
                f'did you mean {close[0]!r}?'
            )


def merge_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Put settings of the command line into a config, in place.

    Args:
        cfg: Config as it was read.
        options: Values by the path of their key, such as ``model.temporal.num_heads``.

    Raises:
        ValueError: If a setting has no place in the config, or if it would change
            nothing, because its key only helps to write the file.
    """
    for path, value in options.items():
        top = path.split('.')[0]
        if top not in RUNNER_KEYS - _COPIED:
            raise ValueError(_nothing_reads(cfg, path, top))
        switched_off = path.split('.')[1:] if top == 'default_hooks' and value is None else []
        hooks = cfg.get('default_hooks') or {}
        if len(switched_off) == 1 and switched_off[0] not in hooks:
            raise ValueError(f'--cfg-options {path}=None: {_unknown(switched_off[0], hooks)}')
        try:
            cfg.merge_from_dict({path: value})
        except Exception as error:  # MMEngine has many ways to say that a key has no place
            reason = error.args[0] if error.args else error
            raise ValueError(f'--cfg-options {path}={value}: {reason}') from error


def _unknown(name: str, known: Any) -> str:
    """Say that there is no such hook, and which are."""
    close = difflib.get_close_matches(name, known, n=1)
    hint = f'did you mean {close[0]!r}?' if close else f'there are {", ".join(known)}'
    return f'there is no hook {name!r}; {hint}'


def _nothing_reads(cfg: Config, path: str, top: str) -> str:
    """Say that an option changes nothing, and which ones do."""
    if top not in cfg:
        close = difflib.get_close_matches(top, RUNNER_KEYS, n=1)
        hint = f'; did you mean {close[0]!r}?' if close else ''
        return f'--cfg-options {path}: the config has no {top!r}, and nothing reads it{hint}'
    instead = list(dict.fromkeys(_holders(cfg, path, top)))
    shown = ', '.join(instead[:_SHOWN])
    if len(instead) > _SHOWN:
        shown += f' and {len(instead) - _SHOWN} more'
    return (
        f'--cfg-options {path} would change nothing: {top} is a variable of the config file, whose '
        'value was filled in where the file uses it'
        + (f'; set instead what holds that value: {shown}' if instead else '')
    )


def _holders(cfg: Config, path: str, top: str) -> Iterator[str]:
    """Yield the paths of what is read that hold the value of a variable, best ones first."""
    variable, rest = cfg[top], path.removeprefix(top)
    read = {key: value for key, value in cfg.items() if key in RUNNER_KEYS - _COPIED}
    same = [place for place, value in _walk(read) if _equal(value, variable)]
    if isinstance(variable, dict | list) and len(variable):
        yield from (f'{place}{rest}' for place in same)
        return
    # A small number stands in many places; one whose name says the same is meant.
    alike = [place for place in same if _alike(place, top)]
    yield from alike
    common = variable is None or isinstance(variable, bool)
    if not common and not (isinstance(variable, int) and abs(variable) < 10):
        yield from same


def _walk(node: Any, prefix: str = '') -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of all that stands below a node."""
    if isinstance(node, dict):
        items: Any = node.items()
    elif isinstance(node, list):
        items = enumerate(node)
    else:
        return
    for key, value in items:
        yield f'{prefix}{key}', value
        yield from _walk(value, f'{prefix}{key}.')


def _equal(value: Any, other: Any) -> bool:
    """Tell whether two values are the same and of one type."""
    return isinstance(value, type(other)) and bool(value == other)


def _alike(place: str, name: str) -> bool:
    """Tell whether the last key of a path is named like a variable."""
    last = place.split('.')[-1]
    return last in name or name in last


def set_data_root(cfg: Config, data_root: str) -> None:
    """Point every data set of a config to another folder, in place."""
    _replace(cfg._cfg_dict, 'data_root', data_root)


def _replace(node: Any, key: str, value: Any) -> None:
    """Set ``key`` to ``value`` wherever it occurs below ``node``."""
    if isinstance(node, dict):
        for name in node:
            if name == key:
                node[name] = value
            else:
                _replace(node[name], key, value)
    elif isinstance(node, list | tuple):
        for item in node:
            _replace(item, key, value)
