"""Embeddings of a test set as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class TrackletSet:
    """Embeddings of N tracklets and what is known about them.

    Args:
        embedding: Float of any precision, may be memory-mapped, shape (N, D).
        pid: Person identities, whole numbers of any type, kept as int64, (N,).
        camid: Cameras, as ``pid``, (N,).
        is_query: Whether a tracklet queries; the others are the gallery, bool, (N,).

    Raises:
        ValueError: If the shapes do not agree, or a value is of another kind:
            nothing is broadcast, cut or rounded.
    """

    embedding: np.ndarray
    pid: np.ndarray
    camid: np.ndarray
    is_query: np.ndarray

    def __post_init__(self) -> None:
        shapes = {key: np.shape(getattr(self, key)) for key in ('pid', 'camid', 'is_query')}
        size = self.embedding.shape[:1]
        if self.embedding.ndim != 2 or any(shape != size for shape in shapes.values()):
            raise ValueError(
                'embedding must be (N, D) and pid, camid and is_query (N,), '
                f'got {self.embedding.shape} and {shapes}'
            )
        if self.embedding.dtype.kind not in 'fiu':
            raise ValueError(f'embedding must hold numbers, got {self.embedding.dtype}')
        if np.asarray(self.is_query).dtype != bool:
            raise ValueError(f'is_query must hold booleans, got {np.asarray(self.is_query).dtype}')
        for key in ('pid', 'camid'):
            object.__setattr__(self, key, _whole_numbers(getattr(self, key), key))


def _whole_numbers(values: Any, name: str) -> np.ndarray:
    """Return whole numbers as int64, (N,).

    Raises:
        ValueError: If one is none, with its row.
    """
    array = np.asarray(values)
    if array.dtype.kind in 'iu':
        return array.astype(np.int64, copy=False)
    if array.dtype.kind == 'f':
        whole = np.isfinite(array) & (array == np.floor(array)) & (np.abs(array) < 2**53)
        if whole.all():
            return array.astype(np.int64)
        row = int(np.flatnonzero(~whole)[0])
    else:
        row = next(i for i, value in enumerate(values) if not isinstance(value, int))
    raise ValueError(
        f'{name} must hold whole numbers, got {array[row].item()!r} in row {row}; number the '
        + ('persons' if name == 'pid' else 'cameras')
    )


def stack_tracklets(
    embeddings: Sequence[np.ndarray],
    pids: Sequence[int],
    camids: Sequence[int],
    subsets: Sequence[str],
) -> TrackletSet:
    """Gather tracklets into arrays, in their order.

    Args:
        embeddings: N vectors, float, each (D,).
        pids: Person identities.
        camids: Cameras.
        subsets: 'query' or 'gallery'.

    Raises:
        ValueError: If there is no tracklet, a subset is neither of the two, or the
            tracklets do not fit one another.
    """
    if not len(embeddings):
        raise ValueError('the test set is empty; check its annotation files and subset')
    unknown = set(subsets) - {'query', 'gallery'}
    if unknown:
        raise ValueError(f"subset must be 'query' or 'gallery', got {sorted(unknown)}")
    first = np.shape(embeddings[0])
    for row, embedding in enumerate(embeddings):
        if np.ndim(embedding) != 1 or np.shape(embedding) != first:
            raise ValueError(
                f'embeddings must be vectors of one width, got shape {np.shape(embedding)} in '
                f'row {row} and {first} in row 0'
            )
    return TrackletSet(
        embedding=np.stack(embeddings).astype(np.float32, copy=False),
        pid=np.asarray(pids),
        camid=np.asarray(camids),
        is_query=np.array([subset == 'query' for subset in subsets], bool),
    )
