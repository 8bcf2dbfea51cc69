"""The settings of a run as its checkpoints keep them, and what is different now."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.optim import OptimWrapper

from csipreid.engine.mixed_precision import precision_of

# Where a run is, who started it and how it is watched does not change what it computes.
_BESIDE = (
    'work_dir', 'load_from', 'resume', 'launcher', 'env_cfg', 'visualizer', 'log_level',
    'log_processor', 'experiment_name', 'default_hooks.logger', 'default_hooks.timer',
    'test_dataloader', 'test_cfg', 'test_evaluator', 'val_dataloader', 'val_evaluator',
)  # fmt: skip
_WORKERS = ('num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor')
_SHOWN = 16  # changes named in a warning before "and n more"
_LONGEST = 60  # characters shown of a value


def run_settings(cfg: Config, optim_wrapper: OptimWrapper) -> dict[str, str]:
    """Describe what a run computes, in texts that are compared and never evaluated.

    Args:
        cfg: Config of the run.
        optim_wrapper: Its optimiser, built.

    Returns:
        ``repr`` of each setting by its path, for example ``train_cfg.max_epochs``;
        ``(precision)`` and ``(processes)`` are what the machine made of the config.
    """
    settings = {
        path: text
        for path, value in _flatten(cfg.to_dict(), '')
        if ' at 0x' not in (text := repr(value))  # an address, another in each process
    }
    settings['(precision)'] = precision_of(optim_wrapper)
    settings['(processes)'] = f'{get_world_size()}'
    return settings


def changed_settings(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Name the settings that differ, and their values; empty if none does."""
    absent = 'absent'
    changes = [
        f'{path} {_short(before.get(path, absent))} -> {_short(now.get(path, absent))}'
        for path in sorted({*before, *now})
        if before.get(path) != now.get(path)
    ]
    rest = len(changes) - _SHOWN
    return ', '.join(changes[:_SHOWN]) + (f' and {rest} more' if rest > 0 else '')


def _flatten(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield each leaf of nested containers with its path."""
    if path.startswith(_BESIDE) or path.endswith(_WORKERS):
        return
    children: Any = None
    if isinstance(node, Mapping) and node:
        children = node.items()
    elif isinstance(node, list | tuple) and any(isinstance(item, Mapping) for item in node):
        children = enumerate(node)
    if children is None:
        yield path, node
        return
    for key, value in children:
        yield from _flatten(value, f'{path}.{key}' if path else f'{key}')


def _short(text: str) -> str:
    """Cut a long value, and show what would control a terminal as an escape."""
    text = ''.join(c if c.isprintable() else repr(c)[1:-1] for c in text[: _LONGEST + 1])
    return text if len(text) <= _LONGEST else f'{text[:_LONGEST]}…'


class FormattedConfig:
    """A config whose text is formatted once: that takes longer than writing a checkpoint.

    Args:
        cfg: The config.
    """

    def __init__(self, cfg: Config) -> None:
        self._cfg = cfg
        self.pretty_text = cfg.pretty_text

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cfg, name)

    def __getitem__(self, name: str) -> Any:
        return self._cfg[name]
