"""Embeddings brought to unit length, or refused."""

import numpy as np


def unit_rows(embeddings: np.ndarray, name: str) -> np.ndarray:
    """Return embeddings of unit length, float32, (N, D).

    Args:
        embeddings: Float, of any length, (N, D).
        name: What they are, for messages.

    Raises:
        ValueError: If they are no matrix of floats, or a row has no direction.
    """
    if embeddings.ndim != 2 or embeddings.dtype.kind != 'f' or not embeddings.size:
        raise ValueError(
            f'{name} must be embeddings, float of shape (N, D), got {embeddings.dtype} of shape '
            f'{embeddings.shape}'
        )
    # In float64, or the squares of large and small numbers would not be finite or vanish.
    lengths = np.linalg.norm(embeddings.astype(np.float64), axis=1, keepdims=True)
    bad = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    if bad.size:
        raise ValueError(
            f'{name} must hold finite embeddings that are not zero; row {bad[0]} is '
            f'{embeddings[bad[0]]}, like {bad.size} of {len(embeddings)}'
        )
    return (embeddings / lengths).astype(np.float32)
