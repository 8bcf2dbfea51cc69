import numpy as np
import pytest

from csipreid.synthetic.camera import at_another_hour, draw_cameras


def test_axes_are_a_right_handed_rotation(camera):
    np.testing.assert_allclose(camera.axes @ camera.axes.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(camera.axes) == pytest.approx(1)


def test_watched_place_is_in_the_middle_of_the_picture(camera):
    pixel = camera.project(camera.to_camera(np.array([0.0, 8.0, 0.95])))
    np.testing.assert_allclose(pixel, [640, 360])


def test_right_is_right_and_up_is_up(camera):
    right, up = camera.project(camera.to_camera(np.array([[1.0, 8.0, 0.95], [0.0, 8.0, 1.95]])))
    assert right[0] > 640
    assert up[1] < 360


def test_camera_axes_are_metres_and_forward_is_positive(camera):
    point = camera.to_camera(np.array([0.0, 8.0, 0.95]))
    np.testing.assert_allclose(point, [0, 0, np.hypot(8.0, 2.05)], atol=1e-12)


def test_projection_follows_the_pinhole(camera):
    np.testing.assert_allclose(camera.project(np.array([1.0, -0.5, 4.0])), [640 + 250, 360 - 125])


def test_cameras_look_at_people_from_all_sides(rng):
    headings = np.sort([camera.heading % (2 * np.pi) for camera in draw_cameras(rng, 4)])
    np.testing.assert_allclose(np.diff(headings), np.pi / 2)


def test_another_hour_changes_the_light_only(camera, rng):
    later = at_another_hour(camera, rng)
    assert later.sun != camera.sun
    assert (later.height, later.gains) == (camera.height, camera.gains)
