import numpy as np
import pytest

from csipreid.evaluation.similarity import similarity_blocks, take_unit_rows


def test_rows_have_unit_length_and_zero_stays_zero():
    rows = np.array([[3, 4], [0, 0]], np.float16)
    assert take_unit_rows(rows, [0, 1]) == pytest.approx(np.array([[0.6, 0.8], [0, 0]]))
    assert take_unit_rows(rows, [0]).dtype == np.float32


def test_blocks_hold_cosines():
    embedding = np.array([[3, 0], [0, 2], [1, 1], [0, 0]], np.float16)
    blocks = [
        (rows, block.copy())
        for rows, block in similarity_blocks(embedding, np.array([0, 2]), np.array([1, 2, 3]), 1)
    ]
    assert [rows for rows, _ in blocks] == [slice(0, 1), slice(1, 2)]
    assert blocks[0][1] == pytest.approx(np.array([[0, np.sqrt(0.5), 0]]))
