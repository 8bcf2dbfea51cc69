from dataclasses import replace

import numpy as np
import pytest

from csipreid.synthetic.faces import box, join
from csipreid.synthetic.rendering import Sensor, cast_shadow, fill, look_at


def cube(camera, distance, colour):
    """A cube of 1 m straight ahead of the camera, in camera axes."""
    faces = box((-0.5, distance - 0.5, 0.0), (0.5, distance + 0.5, 1.0), np.array(colour), 1)
    return faces.moved(camera.to_camera)


def test_faces_that_look_away_are_dropped(camera):
    polygons = look_at(cube(camera, 8.0, (9, 9, 9)), camera)
    assert len(polygons.corners[0]) == 2  # top and front; the sides are edge-on or turned away


def test_near_things_are_drawn_last(camera):
    far, near = cube(camera, 12.0, (200, 0, 0)), cube(camera, 6.0, (0, 0, 200))
    colours = look_at(join([near, far]), camera).colours[0]
    assert colours[0, 0] > 0
    assert colours[-1, 2] > 0


def test_faces_towards_the_light_are_brighter(camera):
    top = look_at(cube(camera, 8.0, (100, 100, 100)), camera)
    brightness = {
        round(float(c[:, 1].mean())): v[0]
        for c, v in zip(top.corners[0], top.colours[0], strict=True)
    }
    assert brightness[min(brightness)] > brightness[max(brightness)]  # the top is above the front


def test_filling_paints_inside_and_nothing_else():
    canvas = np.zeros((20, 20, 3), np.uint8)
    fill(canvas, np.array([[[5, 5], [10, 5], [10, 10], [5, 10]]]), np.array([[1, 2, 3]]))
    assert canvas[7, 7].tolist() == [1, 2, 3]
    assert canvas[12:].sum() == canvas[:, 12:].sum() == 0


def test_corners_far_outside_do_not_overflow():
    canvas = np.zeros((20, 20, 3), np.uint8)
    square = np.array([[[-1e9, -1e9], [1e9, -1e9], [1e9, 1e9], [-1e9, 1e9]]])
    fill(canvas, square, np.array([[7, 7, 7]]))
    assert (canvas == 7).all()


def test_shadow_darkens_inside_the_outline():
    canvas = np.full((64, 64, 3), 200, np.uint8)
    cast_shadow(canvas, np.array([[16, 16], [48, 16], [48, 48], [16, 48]]), 0.5)
    assert canvas[32, 32, 0] == pytest.approx(100, abs=3)
    assert canvas[0, 0, 0] == 200


def test_colour_cast_raises_its_channel(camera, rng):
    red = replace(camera, gains=(1.2, 1.0, 0.8))
    frame = Sensor(red, (8, 4), rng).record(np.full((16, 8, 3), 100, np.uint8))
    assert frame.shape == (8, 4, 3)
    assert frame[..., 0].mean() > frame[..., 1].mean() > frame[..., 2].mean()


def test_sensor_noise_differs_between_frames(camera, rng):
    sensor = Sensor(replace(camera, noise=5.0), (32, 16), rng)
    first, second = (sensor.record(np.full((64, 32, 3), 100, np.uint8)) for _ in range(2))
    assert (first != second).any()
