import numpy as np

from csipreid.models.backbones.published_encoding import PUBLISHED_H36M_ENCODING
from csipreid.skeletons import adjacency, get_layout, normalized_laplacian


def test_columns_are_eigenvectors_but_for_the_degenerate_ones():
    table = np.array(PUBLISHED_H36M_ENCODING)
    laplacian = normalized_laplacian(adjacency(get_layout('h36m')))
    for column in (0, 3, 4, 5, 9):
        vector = table[:, column]
        value = vector @ laplacian @ vector / (vector @ vector)
        np.testing.assert_allclose(laplacian @ vector, value * vector, atol=1e-6)


def test_second_and_third_column_are_equal():
    table = np.array(PUBLISHED_H36M_ENCODING)
    assert table.shape == (17, 10)
    np.testing.assert_array_equal(table[:, 1], table[:, 2])
