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
                embedding=archive['embedding'],
                pid=archive['pid'].astype(np.int64),
                camid=archive['camid'].astype(np.int64),
                is_query=archive['is_query'].astype(bool),
            )
        except ValueError as error:
            raise ValueError(f'{path}: {_without_advice(error)}') from error
        paths = _text(archive, 'frame_paths')
        counts = archive['frame_counts'] if 'frame_counts' in archive.files else None
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


def _without_advice(error: ValueError) -> str:
    """Return what an error says, but for NumPy's way to run what a file holds."""
    text = str(error)
    return 'an array holds Python objects, not numbers' if 'allow_pickle' in text else text


def _text(archive: Any, key: str) -> np.ndarray | None:
    """Read an array of text; None if it is missing or would need a pickle."""
    if key not in archive.files:
        return None
    try:
        array = archive[key]
    except ValueError:  # an object array: unpickling could run foreign code
        return None
    return np.char.decode(array, 'utf-8') if array.dtype.kind == 'S' else array


def _split_paths(
    paths: np.ndarray | None, counts: np.ndarray | None, size: int, path: str | Path
) -> list[list[str]] | None:
    """Give each tracklet its frames."""
    if paths is None or paths.dtype.kind != 'U':
        return None
    if counts is not None:
        if len(counts) != size or counts.sum() != len(paths):
            raise ValueError(
                f'{path}: frame_counts must hold {size} counts that sum to {len(paths)} '
                f'frame_paths, got {len(counts)} that sum to {counts.sum()}'
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
    except (json.JSONDecodeError, RecursionError):
        parsed = text
    return parsed if isinstance(parsed, dict) else dict(text=parsed)
