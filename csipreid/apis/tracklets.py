"""Tracklets as a user has them, described as a data set describes its own."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from csipreid.datasets.frame_files import require_frames

Frame = np.ndarray | Image.Image
Tracklet = str | os.PathLike | Sequence[str | os.PathLike] | Sequence[Frame] | np.ndarray

_KINDS = (
    'a folder of images, a list of image paths in the order of time, a list of crops (arrays '
    'uint8, RGB, (H, W, 3), or PIL images) of any sizes, or one array (T, H, W, 3)'
)


def describe_tracklets(
    tracklets: Sequence[Tracklet] | np.ndarray, name: str
) -> list[dict[str, Any]]:
    """Describe tracklets, after checking all of them.

    Args:
        tracklets: N tracklets.
        name: What the caller calls them, for messages.

    Returns:
        Items as the pipeline of a data set takes them, and ``given``: the frames, if they need
        not be loaded, else None.

    Raises:
        FileNotFoundError: If a folder or image does not exist.
        TypeError, ValueError: If it is no list of tracklets, or one of them is none.
    """
    if isinstance(tracklets, str | os.PathLike):
        raise TypeError(
            f'{name} must be a list of tracklets, got one path {os.fspath(tracklets)!r}; write '
            f'[{os.fspath(tracklets)!r}]'
        )
    if not isinstance(tracklets, Sequence | np.ndarray):
        raise TypeError(f'{name} must be a list of tracklets, got {type(tracklets).__name__}')
    if not len(tracklets):
        raise ValueError(f'{name}: no tracklet was given')
    return [_describe(item, f'{name}[{index}]') for index, item in enumerate(tracklets)]


def _describe(tracklet: Tracklet, where: str) -> dict[str, Any]:
    """Describe one tracklet."""
    given: list[np.ndarray] | None = None
    if isinstance(tracklet, str | os.PathLike):
        folder = os.fspath(tracklet)
        if os.path.isfile(folder):
            raise ValueError(f'{where} is the file {folder}; a tracklet is {_KINDS}')
        paths = [os.path.join(folder, frame) for frame in require_frames(folder)]
    elif isinstance(tracklet, np.ndarray):
        if tracklet.ndim != 4 or tracklet.shape[-1] != 3 or tracklet.dtype != np.uint8:
            raise ValueError(
                f'{where}: an array of frames must be uint8 of shape (T, H, W, 3), got '
                f'{tracklet.dtype} of shape {tracklet.shape}'
            )
        given = [_pixels(frame, f'{where}, frame {i}') for i, frame in enumerate(tracklet)]
    elif not isinstance(tracklet, Sequence):
        raise TypeError(f'{where} is a {type(tracklet).__name__}; a tracklet is {_KINDS}')
    elif all(isinstance(frame, str | os.PathLike) for frame in tracklet):
        paths = [os.fspath(path) for path in tracklet]  # type: ignore[arg-type]
        missing = [path for path in paths if not os.path.isfile(path)]
        if missing:
            raise FileNotFoundError(
                f'{where}: {len(missing)} of {len(paths)} images not found, the first is '
                f'{missing[0]}'
            )
    else:
        given = [_pixels(frame, f'{where}, frame {i}') for i, frame in enumerate(tracklet)]
    if given is not None:
        paths = [f'frame {index}' for index in range(len(given))]
    if not paths:
        raise ValueError(f'{where}: a tracklet needs at least one frame, got none')
    return dict(
        frame_paths=paths, given=given, pid=-1, camid=-1, label=-1, subset='query',
        rng=np.random.default_rng(0),
    )  # fmt: skip


def _pixels(frame: Any, where: str) -> np.ndarray:
    """Return one crop, uint8, RGB, (H, W, 3)."""
    if isinstance(frame, Image.Image):
        frame = np.asarray(frame.convert('RGB'))
    if not isinstance(frame, np.ndarray):
        raise TypeError(f'{where} is a {type(frame).__name__}; a tracklet is {_KINDS}')
    fits = frame.ndim == 3 and frame.shape[-1] == 3 and min(frame.shape) > 0
    if not fits or frame.dtype != np.uint8:
        raise ValueError(
            f'{where} must be uint8 of shape (H, W, 3) and not empty, got {frame.dtype} of shape '
            f'{frame.shape}'
        )
    return frame
