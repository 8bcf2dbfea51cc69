import numpy as np
import pytest

from csipreid.evaluation import similarity
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


@pytest.mark.parametrize('scale', [1e-30, 1e-14, 1e25])
def test_lengths_whose_squares_float32_cannot_hold_are_taken_out_too(scale):
    rows = np.array([[3, 4], [-4, 3]], np.float32) * np.float32(scale)
    expected = np.array([[0.6, 0.8], [-0.8, 0.6]])
    assert take_unit_rows(rows, [0, 1]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize('gallery_block', [2, 1 << 16])
def test_euclidean_similarity_is_the_negative_distance(monkeypatch, gallery_block):
    monkeypatch.setattr(similarity, '_GALLERY_BLOCK', gallery_block)
    rng = np.random.default_rng(1)
    embedding = rng.normal(size=(9, 5)) + 1e4  # far away: squares of 1e8, distances of 1
    embedding[8] = embedding[0]
    query, gallery = np.array([0, 3]), np.arange(2, 9)
    ((_, block),) = similarity_blocks(embedding, query, gallery, 1 << 20, 'euclidean')
    slow = [[-np.sqrt(((embedding[q] - embedding[g]) ** 2).sum()) for g in gallery] for q in query]
    assert block == pytest.approx(np.array(slow), rel=1e-6)
    assert block[0, -1] == 0
