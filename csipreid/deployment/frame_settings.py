"""How frames become the input of a model, in values that a file can hold."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from mmengine.config import Config

from csipreid.file_content import read_text

Color = Literal['rgb', 'bgr']
Sampling = Literal['restricted_random', 'first', 'even', 'dense']

_LARGEST = 4096  # pixels of a side, frames of a clip


@dataclass(frozen=True)
class FrameSettings:
    """What a model expects of the frames of a tracklet.

    Args:
        input_size: Height and width in pixels.
        mean: Mean of the R, G and B values, in [0, 255].
        std: Standard deviation of the R, G and B values, in [0, 255]. A network for values
            divided by 255 and normalised with ImageNet's statistics has mean 123.675, 116.28,
            103.53 and std 58.395, 57.12, 57.375.
        clip_len: Frames of a clip.
        sampling: How the frames of a clip are chosen; see
            :class:`csipreid.datasets.transforms.SampleClip`.
        num_clips: Clips of a tracklet in the sampling 'restricted_random'.
        color: Order of the channels that the network takes.

    Raises:
        ValueError: If a value cannot be.
    """

    input_size: tuple[int, int]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    clip_len: int = 8
    sampling: Sampling = 'even'
    num_clips: int = 1
    color: Color = 'rgb'

    def __post_init__(self) -> None:
        for name, length, lowest in (('input_size', 2, 1), ('mean', 3, -math.inf), ('std', 3, 0)):
            values = getattr(self, name)
            kind = int if name == 'input_size' else int | float
            if (
                not isinstance(values, Sequence)
                or len(values) != length
                or not all(isinstance(v, kind) and not isinstance(v, bool) for v in values)
                or not all(math.isfinite(v) and v >= lowest for v in values)
            ):
                raise ValueError(f'{name} must be {length} numbers, got {values!r:.80}')
            object.__setattr__(self, name, tuple(values))
        if min(self.std) <= 0:
            raise ValueError(f'std must be positive, got {self.std}')
        for name in ('clip_len', 'num_clips'):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _LARGEST:
                raise ValueError(f'{name} must be in 1 … {_LARGEST}, got {value!r:.80}')
        if max(self.input_size) > _LARGEST:
            raise ValueError(f'input_size must be at most {_LARGEST} pixels, got {self.input_size}')
        for name, kinds in (('sampling', get_args(Sampling)), ('color', get_args(Color))):
            if getattr(self, name) not in kinds:
                raise ValueError(f'{name} must be one of {kinds}, got {getattr(self, name)!r:.80}')

    @classmethod
    def from_config(cls, cfg: Config) -> 'FrameSettings':
        """Read them from the test pipeline and the preprocessor of a config.

        Raises:
            ValueError: If the config does not tell.
        """
        steps = {step.type: step for step in cfg.test_pipeline}
        preprocessor = cfg.model.get('data_preprocessor') or {}
        if not {'ResizeFrames', 'SampleClip'} <= set(steps) or not {'mean', 'std'} <= set(
            preprocessor
        ):
            raise ValueError(
                f'{cfg.filename or "the config"} does not tell how frames are prepared: '
                'test_pipeline needs SampleClip and ResizeFrames, data_preprocessor needs mean '
                'and std'
            )
        sampling = steps['SampleClip']
        return cls(
            input_size=tuple(steps['ResizeFrames'].size),
            mean=tuple(preprocessor['mean']),
            std=tuple(preprocessor['std']),
            clip_len=sampling.clip_len,
            sampling=sampling.get('mode', 'restricted_random'),
            num_clips=sampling.get('num_clips', 1),
        )

    @classmethod
    def from_values(cls, values: Mapping[str, Any], source: str) -> 'FrameSettings':
        """Read them from plain values, as a file holds them.

        Args:
            values: By the names of the arguments.
            source: Where they were found, for messages.

        Raises:
            ValueError: If one is missing, unknown or cannot be.
        """
        known = set(cls.__dataclass_fields__)
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f'{source}: there is no setting {unknown[0]!r}; there are {known}')
        missing = [name for name in ('input_size', 'mean', 'std') if values.get(name) is None]
        if missing:
            raise ValueError(
                f'{source} does not tell {", ".join(missing)} of the network; give them as '
                'settings, a dict or a JSON file: input_size (height, width), mean and std (R, G '
                'and B, in 0 … 255), and, where it matters, color, clip_len and sampling'
            )
        try:
            return cls(**values)
        except ValueError as error:
            raise ValueError(f'{source}: {error}') from error

    def pipeline(self) -> list[dict[str, Any]]:
        """Return the transforms that prepare a tracklet, as a config of a test pipeline."""
        return [
            dict(
                type='SampleClip',
                clip_len=self.clip_len,
                mode=self.sampling,
                num_clips=self.num_clips,
            ),
            dict(type='LoadFrames'),
            dict(type='ResizeFrames', size=self.input_size),
            dict(type='PackReIDInputs'),
        ]

    def values(self) -> dict[str, Any]:
        """Return them as plain values for JSON."""
        return asdict(self)


def read_settings(path: str | os.PathLike) -> dict[str, Any]:
    """Read settings from a JSON file: an object with the arguments of :class:`FrameSettings`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no JSON object.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path} not found')
    try:
        values = json.loads(read_text(Path(path)))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f'{path} is no JSON: {error}') from error
    if not isinstance(values, dict):
        raise ValueError(f'{path} must be a JSON object of settings, is a {type(values).__name__}')
    return values
