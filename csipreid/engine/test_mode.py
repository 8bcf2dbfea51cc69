"""Test modes: which clips stand for a tracklet in testing, by name and in a config."""

import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple

from mmengine.config import Config

from csipreid.registry import MODELS

_SAMPLING = {'first': 'first', 'even': 'even', 'random': 'restricted_random', 'dense': 'dense'}
_FORMS = 'first, even, random:N or dense, perhaps followed by ,flip'
# A dense tracklet is a dozen clips, so a batch of tests takes fewer of them.
_DENSE_BATCH = 4


class ClipChoice(NamedTuple):
    """Which clips stand for a tracklet.

    Attributes:
        sampling: 'first', 'even', 'random' or 'dense', as SampleClip describes them.
        num_clips: Number of random clips.
        flip: Whether each clip is averaged with its mirror image.
    """

    sampling: str
    num_clips: int = 1
    flip: bool = False

    def __str__(self) -> str:
        clips = f':{self.num_clips}' if self.sampling == 'random' else ''
        return f'{self.sampling}{clips}{",flip" if self.flip else ""}'


def parse_test_mode(text: str) -> ClipChoice:
    """Read ``first``, ``even``, ``random:N`` or ``dense``, with ``,flip`` or without.

    Raises:
        ValueError: If it is none of them.
    """
    name, *flip = text.split(',')
    sampling, *count = name.split(':')
    draws = sampling == 'random'
    well_formed = sampling in _SAMPLING and flip in ([], ['flip']) and len(count) == int(draws)
    if not well_formed or (draws and not (count[0].isdecimal() and int(count[0]) > 0)):
        raise ValueError(f'the test mode must be {_FORMS}, got {text!r}')
    return ClipChoice(sampling, int(count[0]) if draws else 1, bool(flip))


def set_test_mode(cfg: Config, choice: ClipChoice | None = None, flip: bool = False) -> str:
    """Make a config test in some mode, in place, and let its metrics name it.

    Args:
        cfg: Config with a test data loader.
        choice: The mode; None leaves the config's own.
        flip: Whether mirror images are averaged besides.

    Returns:
        The name, which says the length of the clips too.

    Raises:
        ValueError: If the pipeline samples no clips or the model cannot flip.
    """
    steps = list(configs_of_type(cfg.test_dataloader, 'SampleClip'))
    if not steps:
        raise ValueError(
            'the test mode is that of the SampleClip step, but the pipeline of test_dataloader '
            'has none'
        )
    model = cfg.model.type  # a name or a class
    kind = MODELS.get(model) if isinstance(model, str) else model
    takes_flip = 'flip_test' in inspect.signature(kind).parameters
    if choice is not None:
        for step in steps:
            step.update(mode=_SAMPLING[choice.sampling], num_clips=choice.num_clips)
        if choice.sampling == 'dense':
            loader = cfg.test_dataloader
            loader.batch_size = min(loader.get('batch_size', 1), _DENSE_BATCH)
        if takes_flip:
            cfg.model.flip_test = choice.flip
    if flip or (choice is not None and choice.flip):
        if not takes_flip:
            raise ValueError(f'the model {_name(model)} does not average mirror images (flip)')
        cfg.model.flip_test = True
    name = describe_test_mode(cfg)
    for metric in configs_of_type(cfg.test_evaluator, 'ReIDMetric'):
        if choice is not None or flip or metric.get('test_mode') is None:
            metric.test_mode = name
    return name


def describe_test_mode(cfg: Config) -> str:
    """Name the mode in which a config tests, such as ``dense,flip (8 frames a clip)``."""
    names = {value: key for key, value in _SAMPLING.items()}
    described = []
    for step in configs_of_type(cfg.test_dataloader, 'SampleClip'):
        mode = step.get('mode', 'restricted_random')
        flip = bool(cfg.model.get('flip_test', False))
        choice = ClipChoice(names.get(mode, mode), step.get('num_clips', 1), flip)
        described.append(f'{choice} ({step.get("clip_len", 8)} frames a clip)')
    return ' and '.join(dict.fromkeys(described))


def configs_of_type(node: Any, type_name: str) -> Iterator[Any]:
    """Yield the configs of a type wherever they stand below ``node``."""
    if isinstance(node, dict):
        if _name(node.get('type')) == type_name:
            yield node
        for value in node.values():
            yield from configs_of_type(value, type_name)
    elif isinstance(node, list | tuple):
        for item in node:
            yield from configs_of_type(item, type_name)


def _name(kind: Any) -> str:
    """Return the name of a class, or of a registered one, without its scope."""
    return kind.__name__ if isinstance(kind, type) else str(kind).split('.')[-1]
