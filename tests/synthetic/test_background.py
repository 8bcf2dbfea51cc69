import numpy as np

from csipreid.synthetic.background import paint_background


def test_background_fills_the_picture_of_the_camera(camera, rng):
    picture = paint_background(camera, rng)
    assert picture.shape == (720, 1280, 3)
    assert picture.dtype == np.uint8


def test_same_generator_paints_the_same_place(camera):
    first, second = (paint_background(camera, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_places_differ(camera):
    first, second = (paint_background(camera, np.random.default_rng(seed)) for seed in (3, 4))
    assert np.abs(first.astype(int) - second).mean() > 3
