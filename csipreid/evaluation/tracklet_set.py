"""Embeddings of a test set as arrays."""

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
