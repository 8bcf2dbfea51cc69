"""What the command-line tools do to a config before a runner is built."""

import difflib
import inspect
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
RUNNER_KEYS = frozenset(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'} | set(
    _EXTRA
)


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
