"""Cosines between embeddings, in blocks of bounded memory."""

from collections.abc import Iterator

import numpy as np

# Gallery rows that are converted to float32 and multiplied at a time.
_GALLERY_BLOCK = 1 << 16
# Bytes that ranking holds for each cosine: itself, its sorted copy, the masks.
_BYTES_PER_COSINE = 12


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Scale rows to unit length in float32; zero rows stay zero.

    Args:
        vectors: Float of any precision, shape (N, D).
    """
    vectors = np.asarray(vectors, np.float32)
    norms = np.sqrt(np.einsum('nd,nd->n', vectors, vectors))[:, None]
    return vectors / np.maximum(norms, 1e-12)


def similarity_blocks(
    embedding: np.ndarray, query_rows: np.ndarray, gallery_rows: np.ndarray, max_bytes: int
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield cosines of blocks of queries with the whole gallery.

    Args:
        embedding: Float, any precision, shape (N, D).
        query_rows: Rows that query, int64, (Q,).
        gallery_rows: Rows that are ranked, int64, (G,).
        max_bytes: Memory for a block and what ranking makes of it.

    Yields:
        Which queries, and their cosines in [-1, 1], float32, (C, G).
    """
    step = max(1, max_bytes // (_BYTES_PER_COSINE * len(gallery_rows)))
    fits = len(gallery_rows) <= _GALLERY_BLOCK
    resident = unit_rows(embedding[gallery_rows]) if fits else None
    for start in range(0, len(query_rows), step):
        queries = unit_rows(embedding[query_rows[start : start + step]])
        if resident is not None:
            block = queries @ resident.T
        else:
            block = np.empty((len(queries), len(gallery_rows)), np.float32)
            for first in range(0, len(gallery_rows), _GALLERY_BLOCK):
                columns = slice(first, first + _GALLERY_BLOCK)
                np.matmul(
                    queries, unit_rows(embedding[gallery_rows[columns]]).T, out=block[:, columns]
                )
        yield slice(start, start + len(queries)), block
