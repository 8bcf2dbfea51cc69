"""Cosines between embeddings, in blocks of bounded memory."""

from collections.abc import Iterator

import numpy as np

# Gallery rows that are converted to float32 and multiplied at a time.
_GALLERY_BLOCK = 1 << 16
# Query rows that are multiplied at a time: enough to keep the processor busy.
_QUERY_BLOCK = 512


def take_unit_rows(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Copy some rows, scaled to unit length, in float32; zero rows stay zero.

    Args:
        vectors: Float of any precision, may be memory-mapped, shape (N, D).
        rows: Which ones, int64, (M,).

    Returns:
        float32, (M, D).
    """
    taken = np.asarray(vectors[rows], np.float32)
    norms = np.sqrt(np.einsum('nd,nd->n', taken, taken))
    taken /= np.maximum(norms, 1e-12)[:, None]
    return taken


def similarity_blocks(
    embedding: np.ndarray, query_rows: np.ndarray, gallery_rows: np.ndarray, max_bytes: int
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield cosines of blocks of queries with the whole gallery.

    Args:
        embedding: Float, any precision, shape (N, D).
        query_rows: Rows that query, int64, (Q,).
        gallery_rows: Rows that are ranked, int64, (G,).
        max_bytes: Memory for a block.

    Yields:
        Which queries, and their cosines in [-1, 1], float32, (C, G); the array
        is the caller's to change until the next block is asked for, which
        overwrites it.
    """
    step = min(_QUERY_BLOCK, max(1, max_bytes // (4 * len(gallery_rows))), len(query_rows))
    buffer = np.empty((step, len(gallery_rows)), np.float32)
    fits = len(gallery_rows) <= _GALLERY_BLOCK
    resident = take_unit_rows(embedding, gallery_rows) if fits else None
    for start in range(0, len(query_rows), step):
        queries = take_unit_rows(embedding, query_rows[start : start + step])
        block = buffer[: len(queries)]
        if resident is not None:
            np.matmul(queries, resident.T, out=block)
        else:
            for first in range(0, len(gallery_rows), _GALLERY_BLOCK):
                columns = slice(first, first + _GALLERY_BLOCK)
                part = take_unit_rows(embedding, gallery_rows[columns])
                block[:, columns] = queries @ part.T
        yield slice(start, start + len(queries)), block
