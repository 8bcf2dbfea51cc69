"""Re-ranking by k-reciprocal encoding: sparse, in blocks, the same as the dense definition.

Source: Zhong et al., "Re-ranking Person Re-identification with k-reciprocal
Encoding", CVPR 2017. In the notation used below, N tracklets (queries and
gallery together) have the squared Euclidean distances d between their unit
embeddings, each row divided by its largest; ``near(i, k)`` are the k + 1
nearest of i, itself usually the first; equal distances keep the order of the
rows.

1. ``mutual(i, k)``: those j in near(i, k) with i in near(j, k).
2. ``expanded(i)``: mutual(i, k1), and for each j in it also mutual(j, k1 / 2)
   if more than two thirds of the latter lie in mutual(i, k1).
3. V[i, j] = exp(-d[i, j]) for j in expanded(i), else 0; rows sum to 1.
4. V[i] becomes the mean of V over the k2 nearest of i; k2 = 1 leaves V alone.
5. Jaccard distance 1 - s / (2 - s) with s = sum_j min(V[q, j], V[g, j]).
6. Result: (1 - lambda) * Jaccard + lambda * d.

Only the N x (k1 + 1) neighbours and the few non-zeros of V are kept. The
published CSIP-ReID code holds four N x N matrices and rounds V to half
precision, which moves its distances by up to about 1e-3.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse

from csipreid.evaluation.similarity import take_unit_rows

# Bytes per pair in a block: while the nearest are found, the cosine and a little more;
# in the result, the distance, what it is made of, and the ranking.
_BYTES_PER_COSINE = 5
_BYTES_PER_DISTANCE = 20
# Rows of the sparse products that are formed at a time.
_SPARSE_ROWS = 2048
# Pairs whose cosines are formed at a time: few, so that they stay in the cache.
_PAIRS = 256


class ReRankingOptions(NamedTuple):
    """Parameters of re-ranking.

    Attributes:
        k1: Nearest neighbours that may be mutual, at least 1.
        k2: Nearest neighbours over which the encodings are averaged, at least 1.
        weight: Share of the original distance in the result, lambda, in [0, 1].
    """

    k1: int = 20
    k2: int = 6
    weight: float = 0.3


class Neighbours(NamedTuple):
    """Nearest tracklets of each of N tracklets.

    Attributes:
        rows: Nearest first, ties by row, int64, (N, K).
        farthest: Largest distance 1 - cosine of each row, float32, (N,).
        kept: Cosines of the rows that were to be kept with all, float32, (M, N).
    """

    rows: np.ndarray
    farthest: np.ndarray
    kept: np.ndarray


def check_options(options: Sequence[float]) -> ReRankingOptions:
    """Name the three parameters and check their ranges.

    Raises:
        ValueError: If there are not three or one is out of its range.
    """
    if len(options) != 3:
        raise ValueError(f're-ranking takes three numbers (k1, k2, lambda), got {tuple(options)}')
    named = ReRankingOptions(int(options[0]), int(options[1]), float(options[2]))
    if named.k1 < 1 or named.k2 < 1 or not 0 <= named.weight <= 1:
        raise ValueError(
            're-ranking needs k1 >= 1, k2 >= 1 and lambda in [0, 1], '
            f'got k1 {options[0]}, k2 {options[1]}, lambda {options[2]}'
        )
    return named


def re_ranked_blocks(
    embedding: np.ndarray,
    query_rows: np.ndarray,
    gallery_rows: np.ndarray,
    options: tuple[int, int, float] = ReRankingOptions(),
    *,
    max_bytes: int = 1 << 30,
    device: str | None = None,
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield re-ranked distances of blocks of queries to the whole gallery.

    Args:
        embedding: Finite floats of any precision, shape (M, D).
        query_rows: Rows that query, int64, (Q,).
        gallery_rows: Rows that are ranked, int64, (G,). Rows in both count once
            among the neighbours.
        options: (k1, k2, lambda).
        max_bytes: Memory for a block of distances; the embeddings in float32
            and the sparse encodings come on top of it.
        device: Torch device that compares all pairs; None for NumPy on the CPU.

    Yields:
        Which queries, and their distances in [0, 1], float32, (C, G).

    Raises:
        ValueError: If an option is out of its range.
    """
    k1, k2, weight = check_options(options)
    rows = np.union1d(query_rows, gallery_rows)
    unit = take_unit_rows(embedding, rows)
    queries, gallery = np.searchsorted(rows, query_rows), np.searchsorted(rows, gallery_rows)

    # Cosines of the queries are needed twice; few enough of them are not computed twice.
    keeps = 4 * len(queries) * len(unit) <= max_bytes // 4
    near = find_neighbours(
        unit, max(k1 + 1, k2), max_bytes, device, queries if keeps else queries[:0]
    )
    encodings = encode(unit, near, k1, k2)
    by_column = encodings.tocsc()
    step = max(1, max_bytes // (_BYTES_PER_DISTANCE * len(gallery)))
    candidates = unit[:0] if keeps else unit[gallery]
    place = np.full(len(unit), -1)
    place[gallery] = np.arange(len(gallery))
    for start in range(0, len(queries), step):
        block = queries[start : start + step]
        if keeps:
            cosines = near.kept[start : start + step].take(gallery, axis=1)
        else:
            cosines = unit[block] @ candidates.T
        result = _distances(cosines, near.farthest[block])
        result *= weight
        result += 1 - weight  # what most have: nothing in common
        for row, query in zip(result, block, strict=True):
            rows, shared = _shared_weight(encodings, by_column, query)
            inside = place[rows] >= 0
            shared = shared[inside]
            row[place[rows[inside]]] -= (1 - weight) * shared / (2 - shared)
        yield slice(start, start + len(block)), np.maximum(result, 0, out=result)


def find_neighbours(
    unit: np.ndarray,
    num_nearest: int,
    max_bytes: int = 1 << 30,
    device: str | None = None,
    kept_rows: Sequence[int] | np.ndarray = (),
) -> Neighbours:
    """Find the nearest tracklets of each, comparing all pairs block by block.

    Args:
        unit: Embeddings of unit length, float32, (N, D).
        num_nearest: K; fewer are returned if there are fewer tracklets.
        max_bytes: Memory for a block of cosines and for those that are kept.
        device: Torch device; None for NumPy on the CPU.
        kept_rows: Rows whose cosines are returned, int64, (M,).
    """
    size = len(unit)
    num_nearest = min(num_nearest, size)
    nearest = np.empty((size, num_nearest), np.int64)
    farthest = np.empty(size, np.float32)
    wanted = np.asarray(kept_rows, np.int64)
    kept = np.empty((len(wanted), size), np.float32)
    everything = None if device is None else torch.from_numpy(unit).to(device)
    step = min(size, max(1, (max_bytes - kept.nbytes) // (_BYTES_PER_COSINE * size)))
    # If all pairs fit, NumPy sees a product with its own transpose and does half the work.
    buffer = np.empty((step if everything is None else 0, size), np.float32)
    for start in range(0, size, step):
        rows = slice(start, start + step)
        if everything is None:
            part = unit[rows]
            cosines = torch.from_numpy(np.matmul(part, unit.T, out=buffer[: len(part)]))
        else:
            cosines = everything[rows] @ everything.T
        farthest[rows] = 1 - cosines.amin(dim=1).cpu().numpy()
        nearest[rows] = _nearest(cosines, num_nearest).cpu().numpy()
        inside = np.flatnonzero((wanted >= start) & (wanted < start + step))
        if len(inside):
            taken = torch.as_tensor(wanted[inside] - start, device=cosines.device)
            kept[inside] = cosines[taken].cpu().numpy()
    return Neighbours(nearest, farthest, kept)


def _nearest(cosines: torch.Tensor, count: int) -> torch.Tensor:
    """Return the columns of the largest cosines of each row, ties by column, (C, count)."""
    size = cosines.shape[1]
    # One more than asked shows whether a tie was cut in two.
    values, columns = cosines.topk(min(count + 1, size), dim=1)
    columns, order = columns.sort(dim=1)
    values = values.gather(1, order)
    values, order = values.sort(dim=1, descending=True, stable=True)
    columns = columns.gather(1, order)
    if count < size:
        cut = (values[:, count - 1] == values[:, count]).nonzero()[:, 0]
        if len(cut):
            whole = cosines[cut].sort(dim=1, descending=True, stable=True).indices
            columns[cut, :count] = whole[:, :count]
    return columns[:, :count]


def encode(unit: np.ndarray, near: Neighbours, k1: int, k2: int) -> sparse.csr_matrix:
    """Encode each tracklet by its reciprocal neighbours: steps 1 to 4 of the module.

    Args:
        unit: Embeddings of unit length, float32, (N, D).
        near: At least max(k1 + 1, k2) neighbours of each, or all.
        k1: Nearest neighbours that may be mutual.
        k2: Nearest neighbours over which the encodings are averaged.

    Returns:
        V, float32, (N, N), with sorted indices.
    """
    size = len(unit)
    expanded = _expand(
        _mutual(near.rows[:, : k1 + 1]), _mutual(near.rows[:, : int(np.around(k1 / 2)) + 1])
    )
    owners = np.repeat(np.arange(size), np.diff(expanded.indptr))
    cosines = np.empty(len(owners), np.float32)
    for start in range(0, len(owners), _PAIRS):
        pairs = slice(start, start + _PAIRS)
        left, right = unit[owners[pairs]], unit[expanded.indices[pairs]]
        np.einsum('pd,pd->p', left, right, out=cosines[pairs])
    weights = np.exp(-_distances(cosines[:, None], near.farthest[owners])[:, 0])
    weights /= np.bincount(owners, weights, minlength=size)[owners]
    encodings = sparse.csr_matrix(
        (weights.astype(np.float32), expanded.indices, expanded.indptr), (size, size)
    )
    if k2 > 1:
        averaged = near.rows[:, :k2]
        share = np.full(averaged.size, 1 / averaged.shape[1], np.float32)
        indptr = np.arange(0, averaged.size + 1, averaged.shape[1])
        encodings = sparse.csr_matrix((share, averaged.ravel(), indptr), (size, size)) @ encodings
    encodings.sort_indices()
    return encodings


def _mutual(nearest: np.ndarray) -> sparse.csr_matrix:
    """Mark the pairs that are among each other's nearest, int32 ones, (N, N)."""
    size, count = nearest.shape
    owners = np.repeat(np.arange(size), count)
    forward = sparse.csr_matrix(
        (np.ones(nearest.size, np.int32), (owners, nearest.ravel())), (size, size)
    )
    return sparse.csr_matrix(forward.multiply(forward.T))


def _expand(mutual: sparse.csr_matrix, inner: sparse.csr_matrix) -> sparse.csr_matrix:
    """Add the closer mutual neighbours of mutual neighbours: step 2, non-zeros only."""
    sizes = np.diff(inner.indptr)
    blocks = []
    for start in range(0, mutual.shape[0], _SPARSE_ROWS):
        own = mutual[start : start + _SPARSE_ROWS]
        shared = (own @ inner.T).multiply(own).tocoo()  # common members of (i, j), j mutual to i
        close = 3 * shared.data > 2 * sizes[shared.col]
        ones = np.ones(np.count_nonzero(close), np.int32)
        accepted = sparse.csr_matrix((ones, (shared.row[close], shared.col[close])), own.shape)
        blocks.append(own + accepted @ inner)
    expanded = sparse.vstack(blocks, format='csr')
    expanded.sort_indices()
    return expanded


def _distances(cosines: np.ndarray, farthest: np.ndarray) -> np.ndarray:
    """Turn cosines (C, G) into distances in [0, 1]; 0 where all items are alike."""
    distances = 1 - cosines
    distances /= np.where(farthest > 1e-6, farthest, 1)[:, None]  # below is rounding
    return np.clip(distances, 0, 1, out=distances)


def _shared_weight(
    encodings: sparse.csr_matrix, by_column: sparse.csc_matrix, query: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sum the smaller of two encodings' weights over all columns.

    Returns:
        Rows that share a column with the query, int64, (R,), and their sums in
        (0, 1], float64, (R,).
    """
    own = slice(encodings.indptr[query], encodings.indptr[query + 1])
    columns = encodings.indices[own]
    starts = by_column.indptr[columns]
    lengths = by_column.indptr[columns + 1] - starts
    offsets = np.cumsum(lengths) - lengths
    entries = np.arange(lengths.sum()) + np.repeat(starts - offsets, lengths)
    smaller = np.minimum(np.repeat(encodings.data[own], lengths), by_column.data[entries])
    total = np.bincount(by_column.indices[entries], smaller, minlength=encodings.shape[0])
    rows = np.flatnonzero(total)
    return rows, total[rows]
