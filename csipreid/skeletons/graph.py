"""The graph of a skeleton and the positional encoding of its joints."""

import numpy as np
from scipy.linalg import eigh

from csipreid.skeletons.layouts import Layout

# Eigenvalues closer than this are one eigenvalue; those of skeleton graphs that
# differ do so by more than 1e-3, the solver's rounding is about 1e-15.
_DEGENERATE = 1e-8


def adjacency(layout: Layout) -> np.ndarray:
    """Return the symmetric 0/1 adjacency without self-loops, float64, (V, V)."""
    matrix = np.zeros((layout.num_joints, layout.num_joints))
    for parent, child in layout.bones:
        matrix[parent, child] = matrix[child, parent] = 1.0
    return matrix


def normalized_laplacian(matrix: np.ndarray) -> np.ndarray:
    """Return ``I - D^-1/2 A D^-1/2``, float64, (V, V).

    Args:
        matrix: Symmetric adjacency A, (V, V); every joint needs a bone.

    Raises:
        ValueError: If A is not symmetric or a joint has no bone.
    """
    if not np.array_equal(matrix, matrix.T):
        raise ValueError('the adjacency matrix is not symmetric; list every bone both ways')
    degree = matrix.sum(axis=1)
    if (degree == 0).any():
        raise ValueError(f'joints {np.flatnonzero(degree == 0).tolist()} have no bone')
    scale = degree**-0.5
    return np.eye(len(matrix)) - scale[:, None] * matrix * scale[None, :]


def laplacian_encoding(layout: Layout, num_eigenvectors: int) -> np.ndarray:
    """Return the Laplacian positional encoding of the joints.

    The columns are eigenvectors of the normalised Laplacian in ascending order
    of eigenvalue, without the first, constant-sign one. Skeletons are symmetric,
    so some eigenvalues are multiple and the solver's basis of their eigenspace
    is arbitrary. Here the basis is fixed by the joints themselves: the projections
    of joint 0, 1, 2 … onto the eigenspace, orthonormalised in this order. That also
    fixes the sign: the first joint not orthogonal to the vectors before has a
    positive entry. The result depends neither on the CPU nor on the BLAS library.

    Source:
        Dwivedi and Bresson, "A Generalization of Transformer Networks to Graphs",
        AAAI 2021 workshop. The rule for multiple eigenvalues is ours.

    Args:
        layout: Joints and bones.
        num_eigenvectors: Number of columns k, in [1, V - 1].

    Returns:
        Encoding with orthonormal columns, float64, (V, k).

    Raises:
        ValueError: If ``num_eigenvectors`` is out of range.
    """
    if not 1 <= num_eigenvectors < layout.num_joints:
        raise ValueError(
            f'num_eigenvectors must be in [1, {layout.num_joints - 1}] for layout '
            f'{layout.name!r}, got {num_eigenvectors}'
        )
    values, vectors = eigh(normalized_laplacian(adjacency(layout)))
    columns = []
    start = 0
    for stop in range(1, len(values) + 1):
        if stop < len(values) and values[stop] - values[stop - 1] < _DEGENERATE:
            continue
        columns.append(_canonical_basis(vectors[:, start:stop]))
        start = stop
    return np.concatenate(columns, axis=1)[:, 1 : num_eigenvectors + 1]


def _canonical_basis(vectors: np.ndarray) -> np.ndarray:
    """Replace an orthonormal basis (V, m) of a subspace by one that depends on the space only."""
    projection = vectors @ vectors.T  # (V, V), the same for every basis
    basis = np.zeros((len(vectors), 0))
    for joint in range(len(vectors)):
        residual = projection[:, joint] - basis @ (basis.T @ projection[:, joint])
        norm = np.linalg.norm(residual)
        if norm > 1e-6:  # otherwise the joint adds no new direction
            basis = np.column_stack([basis, residual / norm])
        if basis.shape[1] == vectors.shape[1]:
            break
    return basis
