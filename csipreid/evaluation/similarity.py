"""Similarities between embeddings, in blocks of bounded memory."""

from collections.abc import Iterator
from typing import Literal

import numpy as np

Metric = Literal['cosine', 'euclidean']

# Gallery rows that are converted and multiplied at a time.
_GALLERY_BLOCK = 1 << 16
# Query rows that are multiplied at a time: enough to keep the processor busy.
_QUERY_BLOCK = 512
# Lengths whose squares float32 holds.
_LENGTHS = (1e-15, 1e15)


def take_unit_rows(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Copy some rows, scaled to unit length, in float32; zero rows stay zero.

    Args:
        vectors: Finite numbers of any type, may be memory-mapped, shape (N, D).
        rows: Which ones, int64, (M,).

    Returns:
        float32, (M, D).
    """
    taken = np.asarray(vectors[rows], np.float32)
    norms = np.sqrt(_squares(taken))
    odd = np.flatnonzero(~((norms > _LENGTHS[0]) & (norms < _LENGTHS[1])))
    if len(odd):
        largest = np.abs(taken[odd]).max(axis=1, initial=0)
        taken[odd] /= np.where(largest > 0, largest, 1)[:, None]
        norms[odd] = np.sqrt(_squares(taken[odd]))
    taken /= np.where(norms > 0, norms, 1)[:, None]
    return taken


def similarity_blocks(
    embedding: np.ndarray,
    query_rows: np.ndarray,
    gallery_rows: np.ndarray,
    max_bytes: int,
    metric: Metric = 'cosine',
    wanted: np.ndarray | None = None,
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield similarities of blocks of queries with the whole gallery.

    Args:
        embedding: Finite numbers of any type, shape (N, D).
        query_rows: Rows that query, int64, (Q,).
        gallery_rows: Rows that are ranked, int64, (G,).
        max_bytes: Memory for a block.
        metric: 'cosine', or 'euclidean' for the negative Euclidean distance.
        wanted: Queries that matter, bool, (Q,); blocks without any are passed
            over, the others are what they are without it. None wants all.

    Yields:
        Which queries, and their similarities, in [-1, 1] or at most 0, float32,
        (C, G); the array is the caller's to change until the next block is asked
        for, which overwrites it.
    """
    step = min(_QUERY_BLOCK, max(1, max_bytes // (4 * len(gallery_rows))), len(query_rows))
    buffer = np.empty((step, len(gallery_rows)), np.float32)
    take, width = take_unit_rows, _GALLERY_BLOCK
    if metric == 'euclidean':  # of double precision: half as many
        take, width = _take_double_rows, max(1, _GALLERY_BLOCK // 2)
    resident = take(embedding, gallery_rows) if len(gallery_rows) <= width else None
    for start in range(0, len(query_rows), step):
        rows = slice(start, min(start + step, len(query_rows)))
        if wanted is not None and not wanted[rows].any():
            continue
        queries = take(embedding, query_rows[rows])
        block = buffer[: len(queries)]
        if resident is not None:
            _compare(queries, resident, metric, block)
        else:
            for first in range(0, len(gallery_rows), width):
                columns = slice(first, first + width)
                part = take(embedding, gallery_rows[columns])
                _compare(queries, part, metric, block[:, columns])
        yield rows, block


def _compare(queries: np.ndarray, gallery: np.ndarray, metric: Metric, out: np.ndarray) -> None:
    """Write the similarities of (C, D) and (G, D) into ``out``, float32, (C, G)."""
    if metric == 'cosine':
        np.matmul(queries, gallery.T, out=out)
        return
    sums = np.add.outer(_squares(queries), _squares(gallery))
    squares = queries @ gallery.T
    squares *= -2
    squares += sums
    squares[squares < 1e-14 * sums] = 0  # what rounding leaves of equal vectors
    np.negative(np.sqrt(squares, out=squares), out=out, casting='same_kind')


def _take_double_rows(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Copy some rows in double precision: distances are differences of large squares."""
    return np.asarray(vectors[rows], np.float64)


def _squares(vectors: np.ndarray) -> np.ndarray:
    """Return the squared length of each row, (N,)."""
    with np.errstate(over='ignore'):
        return np.einsum('nd,nd->n', vectors, vectors)
