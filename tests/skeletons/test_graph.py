import numpy as np
import pytest

from csipreid.skeletons import adjacency, get_layout, laplacian_encoding, normalized_laplacian
from csipreid.skeletons.graph import _canonical_basis

# Eigenvalues of the H36M-17 graph, as listed with the method.
EIGENVALUES = [
    *(0, 0.04894, 0.13398, 0.13398, 0.21619, 0.41221, 0.63170, 1, 1, 1),
    *(1.36830, 1.58779, 1.78381, 1.86603, 1.86603, 1.95106, 2),
]


@pytest.fixture
def h36m():
    return get_layout('h36m')


def test_adjacency_of_a_bone_is_symmetric_and_without_loops(h36m):
    matrix = adjacency(h36m)
    assert matrix[0, 1] == matrix[1, 0] == 1
    assert matrix[1, 4] == 0
    assert np.trace(matrix) == 0
    assert matrix.sum() == 2 * len(h36m.bones)


def test_laplacian_of_two_joints_has_closed_form():
    assert normalized_laplacian(np.array([[0, 1.0], [1, 0]])).tolist() == [[1, -1], [-1, 1]]


def test_laplacian_of_h36m_has_the_known_eigenvalues(h36m):
    values = np.linalg.eigvalsh(normalized_laplacian(adjacency(h36m)))
    assert values == pytest.approx(EIGENVALUES, abs=1e-5)


def test_encoding_columns_are_orthonormal_eigenvectors_in_order(h36m):
    encoding = laplacian_encoding(h36m, 10)
    laplacian = normalized_laplacian(adjacency(h36m))
    assert encoding.T @ encoding == pytest.approx(np.eye(10), abs=1e-12)
    assert laplacian @ encoding == pytest.approx(encoding * EIGENVALUES[1:11], abs=1e-4)


def test_encoding_does_not_depend_on_the_solvers_basis():
    generator = np.random.default_rng(0)
    basis = np.linalg.qr(generator.normal(size=(17, 3)))[0]
    rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    assert _canonical_basis(basis) == pytest.approx(_canonical_basis(basis @ rotation), abs=1e-9)


def test_first_joint_of_each_single_eigenvector_is_positive(h36m):
    first = laplacian_encoding(h36m, 1)[:, 0]
    assert first[0] > 0


def test_number_of_eigenvectors_is_checked(h36m):
    with pytest.raises(ValueError, match=r'\[1, 16\].*got 17'):
        laplacian_encoding(h36m, 17)


def test_joint_without_bone_is_named():
    with pytest.raises(ValueError, match=r'joints \[2\] have no bone'):
        normalized_laplacian(np.array([[0, 1.0, 0], [1, 0, 0], [0, 0, 0]]))


def test_asymmetric_adjacency_is_refused():
    with pytest.raises(ValueError, match='not symmetric'):
        normalized_laplacian(np.array([[0, 1.0], [0, 0]]))
