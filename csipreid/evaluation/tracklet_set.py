"""Embeddings of a test set as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TrackletSet:
    """Embeddings of N tracklets and what is known about them.

    Args:
        embedding: Float of any precision, may be memory-mapped, shape (N, D).
        pid: Person identities, int64, (N,).
        camid: Cameras, int64, (N,).
        is_query: Whether a tracklet queries; the others are the gallery, bool, (N,).

    Raises:
        ValueError: If the shapes do not agree.
    """

    embedding: np.ndarray
    pid: np.ndarray
    camid: np.ndarray
    is_query: np.ndarray

    def __post_init__(self) -> None:
        size = len(self.embedding)
        shapes = {key: np.shape(getattr(self, key)) for key in ('pid', 'camid', 'is_query')}
        if self.embedding.ndim != 2 or any(shape != (size,) for shape in shapes.values()):
            raise ValueError(
                'embedding must be (N, D) and pid, camid and is_query (N,), '
                f'got {self.embedding.shape} and {shapes}'
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
        ValueError: If there is no tracklet, or a subset is neither of the two.
    """
    if not len(embeddings):
        raise ValueError('the test set is empty; check its annotation files and subset')
    unknown = set(subsets) - {'query', 'gallery'}
    if unknown:
        raise ValueError(f"subset must be 'query' or 'gallery', got {sorted(unknown)}")
    return TrackletSet(
        embedding=np.stack(embeddings).astype(np.float32, copy=False),
        pid=np.array(pids, np.int64),
        camid=np.array(camids, np.int64),
        is_query=np.array([subset == 'query' for subset in subsets], bool),
    )
