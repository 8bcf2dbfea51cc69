"""What searching has in common, of frames and of skeletons."""

from typing import NamedTuple

import numpy as np


class SearchResult(NamedTuple):
    """What was found for each query, nearest first.

    Attributes:
        indices: Positions in the gallery, int64, (Q, k).
        similarities: Cosines of the embeddings, float32, in [-1, 1], (Q, k).
    """

    indices: np.ndarray
    similarities: np.ndarray


def search_embeddings(asked: np.ndarray, gallery: np.ndarray, topk: int) -> SearchResult:
    """Find the rows of a gallery most similar to each query.

    Args:
        asked: Embeddings of unit length, float32, (Q, D).
        gallery: Embeddings of unit length, float32, (G, D).
        topk: How many to return for each query, at most G.

    Raises:
        ValueError: If the widths differ.
    """
    if gallery.shape[1] != asked.shape[1]:
        raise ValueError(
            f'gallery must hold embeddings of this model, (G, {asked.shape[1]}), got shape '
            f'{gallery.shape}'
        )
    return nearest(asked @ gallery.T, topk)


def nearest(similarities: np.ndarray, topk: int) -> SearchResult:
    """Return the columns of the greatest values of each row (Q, G), greatest first."""
    indices = np.argsort(-similarities, axis=1, kind='stable')[:, :topk]
    return SearchResult(indices, np.take_along_axis(similarities, indices, axis=1))


def whole_number(value: int, name: str, lowest: int) -> int:
    """Return a whole number.

    Raises:
        ValueError: If it is none, or below ``lowest``.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < lowest:
        raise ValueError(f'{name} must be a whole number from {lowest}, got {value!r}')
    return int(value)
