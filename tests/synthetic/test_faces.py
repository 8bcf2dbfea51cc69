import numpy as np

from csipreid.synthetic.faces import box, join, still, tube


def straight_tube():
    """A round tube of radius 2 that rises from 0 to 3, its left along y."""
    return tube(
        centres=np.array([[[0.0, 0, z] for z in range(4)]]),
        lateral=np.array([0.0, 1.0, 0.0]),
        widths=np.array([2.0]),
        depths=np.array([2.0]),
        albedo=np.arange(3 * 8 * 3).reshape(3, 8, 3),
    )


def test_tube_corners_lie_on_the_radius():
    corners = straight_tube().corners
    assert corners.shape == (1, 24, 4, 3)
    np.testing.assert_allclose(np.hypot(corners[..., 0], corners[..., 1]), 2)


def test_tube_sectors_go_from_left_to_front():
    corners = straight_tube().corners[0]
    np.testing.assert_allclose(corners[0, 0], [0, 2, 0], atol=1e-9)  # left
    np.testing.assert_allclose(corners[2, 0], [2, 0, 0], atol=1e-9)  # front: left x up


def test_box_has_four_sides_per_layer_and_a_top():
    assert box((0, 0, 0), (1, 2, 3), np.zeros(3), layers=3).corners.shape == (1, 13, 4, 3)


def test_inner_points_lie_behind_the_faces_of_a_box():
    faces = box((0, 0, 0), (1, 2, 3), np.zeros(3), layers=2)
    outward = faces.corners.mean(axis=2) - faces.inner
    assert (np.abs(outward).max(axis=-1) >= 0.5).all()


def test_joined_faces_keep_their_order():
    first = box((0, 0, 0), (1, 1, 1), np.full(3, 10), layers=1)
    second = box((5, 5, 0), (6, 6, 1), np.full(3, 20), layers=1)
    joined = join([first, second])
    assert joined.albedo[:, 0].tolist() == [10] * 5 + [20] * 5


def test_moving_moves_corners_and_inner_points():
    faces = box((0, 0, 0), (1, 1, 1), np.zeros(3), layers=1)
    moved = faces.moved(lambda points: points + 3)
    np.testing.assert_allclose(moved.corners, faces.corners + 3)
    np.testing.assert_allclose(moved.inner, faces.inner + 3)


def test_still_faces_repeat():
    assert still(box((0, 0, 0), (1, 1, 1), np.zeros(3), 1), 7).corners.shape[0] == 7
