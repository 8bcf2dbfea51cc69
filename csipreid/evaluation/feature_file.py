"""Feature files: the embeddings of a test set on disk, to be scored again."""

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from csipreid.evaluation.tracklet_set import TrackletSet
from csipreid.file_content import describe_content


@dataclass(frozen=True)
class FeatureFile:
    """Content of a feature file.

    Args:
        tracklets: Embeddings, identities, cameras and roles of N tracklets.
        frame_paths: Paths of each tracklet's frames, N lists; None if the file
            names none.
        meta: Where the features come from.
    """

    tracklets: TrackletSet
    frame_paths: list[list[str]] | None = None
    meta: dict[str, Any] = field(default_factory=dict)


def write_features(path: str | Path, features: FeatureFile) -> None:
    """Write a feature file, whole or not at all.

    The file is an uncompressed ``.npz`` without pickles: ``embedding`` (N, D)
    float32, ``pid`` and ``camid`` (N,) int64, ``is_query`` (N,) bool,
    ``frame_paths`` (M,) text, the frames of all tracklets one after the other,
    ``frame_counts`` (N,) int64, how many of them belong to each tracklet, and
    ``meta``, a JSON text. It gets its name when it is complete.

    Raises:
        ValueError: If there is not one list of paths for each tracklet.
    """
    tracklets = features.tracklets
    paths = features.frame_paths
    if paths is None:
        paths = [[] for _ in tracklets.pid]
    if len(paths) != len(tracklets.pid):
        raise ValueError(
            f'frame_paths must have one list for each of {len(tracklets.pid)} tracklets, '
            f'got {len(paths)}'
        )
    arrays: dict[str, Any] = dict(
        embedding=np.asarray(tracklets.embedding, np.float32),
        pid=np.asarray(tracklets.pid, np.int64),
        camid=np.asarray(tracklets.camid, np.int64),
        is_query=np.asarray(tracklets.is_query, bool),
        frame_paths=np.array([frame for tracklet in paths for frame in tracklet], np.str_),
        frame_counts=np.array([len(tracklet) for tracklet in paths], np.int64),
        meta=np.array(json.dumps(features.meta)),
    )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    try:
        with os.fdopen(handle, 'wb') as file:
            np.savez(file, **arrays)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_features(path: str | Path) -> FeatureFile:
    """Read a feature file, also one written by other code.

    Only ``embedding``, ``pid``, ``camid`` and ``is_query`` must be there.
    ``frame_paths`` may be as :func:`write_features` writes it, or one text for
    each tracklet with its paths in lines; ``meta`` may be a JSON text.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If an array is missing or does not fit the others.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path} not found; write it with tools/test.py --dump')
    with _open_archive(path) as archive:
        missing = {'embedding', 'pid', 'camid', 'is_query'} - set(archive.files)
        if missing:
            raise ValueError(
                f'{path} has no {sorted(missing)}, only {sorted(archive.files)}; '
                'a feature file holds embedding (N, D), pid, camid and is_query (N,)'
            )
        try:
            tracklets = TrackletSet(
                embedding=_read_array(archive, 'embedding'),
                pid=_from_minus_one(_read_array(archive, 'pid'), 'pid'),
                camid=_from_minus_one(_read_array(archive, 'camid'), 'camid'),
                is_query=_booleans(_read_array(archive, 'is_query'), 'is_query'),
            )
            counts = None
            if 'frame_counts' in archive.files:
                counts = _from_minus_one(_read_array(archive, 'frame_counts'), 'frame_counts')
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error
        paths = _text(archive, 'frame_paths')
        meta = _text(archive, 'meta')
    return FeatureFile(
        tracklets,
        _split_paths(paths, counts, len(tracklets.pid), path),
        _parse_meta(meta),
    )


def _open_archive(path: str | Path) -> Any:
    """Open the archive of a feature file.

    Raises:
        ValueError: If the file is something else.
    """
    try:
        archive = np.load(path, allow_pickle=False)
    except Exception as error:  # torn archives and texts break NumPy in a dozen ways
        content = (
            describe_content(path) or f'torn, or no archive of arrays ({type(error).__name__})'
        )
        raise ValueError(
            f'{path} is no feature file (.npz) but {content}; write it with tools/test.py --dump'
        ) from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise ValueError(f'{path} is no feature file (.npz) but one NumPy array (.npy)')
    return archive


def _read_array(archive: Any, key: str) -> np.ndarray:
    """Read one array.

    Raises:
        ValueError: If it is torn or holds Python objects, which are not unpickled.
    """
    try:
        return archive[key]
    except Exception as error:  # as many kinds as above
        if 'allow_pickle' in str(error):
            reason = 'holds Python objects, not numbers'
        else:
            reason = f'is torn ({type(error).__name__})'
        raise ValueError(f'{key} {reason}; write the file again') from error


def _from_minus_one(values: np.ndarray, name: str) -> np.ndarray:
    """Refuse numbers below -1 (junk, or a camera that is not known), and those beyond int64."""
    if values.dtype.kind in 'iuf':
        outside = np.flatnonzero((values < -1) | (values >= 2**63))
        if outside.size:
            value = values.ravel()[outside[0]]
            raise ValueError(
                f'{name} must be from -1 (junk or unknown) to 2^63 - 1, got {value} in row '
                f'{outside[0]}'
            )
    return values


def _booleans(values: np.ndarray, name: str) -> np.ndarray:
    """Turn 0 and 1 of any type of number into booleans; nothing else is taken for one."""
    if values.dtype.kind in 'iuf' and np.isin(values, (0, 1)).all():
        return values.astype(bool)
    if values.dtype != bool:
        example = f', such as {values.ravel()[0].item()!r}' if values.size else ''
        raise ValueError(f'{name} must hold booleans, or 0 and 1, got {values.dtype}{example}')
    return values


def _text(archive: Any, key: str) -> np.ndarray | None:
    """Read an array of text; None if it is missing or would need a pickle."""
    if key not in archive.files:
        return None
    try:
        array = _read_array(archive, key)
        return np.char.decode(array, 'utf-8') if array.dtype.kind == 'S' else array
    except ValueError:  # an object array, for example: unpickling could run foreign code
        return None


def _split_paths(
    paths: np.ndarray | None, counts: np.ndarray | None, size: int, path: str | Path
) -> list[list[str]] | None:
    """Give each tracklet its frames."""
    if paths is None or paths.dtype.kind != 'U':
        return None
    if counts is not None:
        fit = counts.shape == (size,) and counts.dtype.kind in 'iu' and not (counts < 0).any()
        if not fit or paths.ndim != 1 or counts.sum() != len(paths):
            raise ValueError(
                f'{path}: frame_counts must hold {size} whole numbers that sum to the '
                f'{paths.size} frame_paths, got {counts.dtype} of shape {counts.shape}'
                + (f' that sum to {counts.sum()}' if counts.dtype.kind in 'iuf' else '')
            )
        ends = np.cumsum(counts)
        return [paths[end - count : end].tolist() for end, count in zip(ends, counts, strict=True)]
    if paths.shape != (size,):
        raise ValueError(
            f'{path}: frame_paths of shape {paths.shape} for {size} tracklets need frame_counts'
        )
    return [text.splitlines() for text in paths.tolist()]


def _parse_meta(meta: np.ndarray | None) -> dict[str, Any]:
    """Read the JSON text; whatever else it is stands under ``text``."""
    if meta is None or meta.dtype.kind != 'U':
        return {}
    text = '\n'.join(np.atleast_1d(meta).ravel().tolist())
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = text
    return parsed if isinstance(parsed, dict) else dict(text=parsed)
