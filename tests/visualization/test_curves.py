import numpy as np
import pytest

from csipreid.visualization.curves import draw_curves, draw_matrix


def test_panels_stand_side_by_side():
    panel = {'ours': ([1, 2, 3], [10, 20, 30])}
    image = draw_curves({'a': panel, 'b': panel}, panel_size=(2, 1))
    assert image.shape == (100, 400, 3)
    assert image.dtype == np.uint8


def test_a_curve_leaves_a_mark():
    empty = draw_curves({'a': {}}, panel_size=(3, 2))
    assert (draw_curves({'a': {'x': ([0, 1], [0, 1])}}, panel_size=(3, 2)) != empty).any()


def test_nothing_to_plot_is_an_error():
    with pytest.raises(ValueError, match='panels is empty'):
        draw_curves({})


def test_blank_cells_of_a_matrix_have_no_number():
    blank = draw_matrix(np.full((1, 1), np.nan), ['1'], ['1'])
    assert (draw_matrix(np.full((1, 1), 50.0), ['1'], ['1']) != blank).any()


def test_matrix_needs_its_names():
    with pytest.raises(ValueError, match=r'\(2, 1\).*got 1 for rows'):
        draw_matrix(np.zeros((2, 1)), ['1'], ['1'])
