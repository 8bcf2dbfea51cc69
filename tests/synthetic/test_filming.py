from dataclasses import replace

import numpy as np
import pytest

from csipreid.skeletons import get_layout
from csipreid.synthetic.filming import CROP_SIZE, plan_shot, render_shot
from csipreid.synthetic.people import draw_walkers
from csipreid.synthetic.rendering import fill, look_at

LAYOUT = get_layout('h36m')


@pytest.fixture
def walker(rng):
    return draw_walkers(rng, 1)[0]


def film(walker, camera, seed, num_frames=6):
    rng = np.random.default_rng(seed)
    shot = plan_shot(walker, camera, rng, num_frames)
    background = np.full((*camera.image_size, 3), 128, np.uint8)
    return shot, render_shot(shot, camera, background, rng)


def test_frames_are_crops_of_the_right_size(walker, camera):
    shot, frames = film(walker, camera, seed=1)
    assert [frame.shape for frame in frames] == [(*CROP_SIZE, 3)] * 6
    assert shot.joints.shape == (6, 17, 3)


def test_same_generator_films_the_same_pixels(walker, camera):
    first, second = (np.stack(film(walker, camera, seed=1)[1]) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize('seed', range(4))
def test_joints_project_onto_the_person(walker, camera, seed):
    shot, _ = film(walker, camera, seed)
    polygons = look_at(shot.person, camera)
    pixels = np.round(camera.project(shot.joints)).astype(int)
    for corners, joints in zip(polygons.corners, pixels, strict=True):
        mask = np.zeros((*camera.image_size, 3), np.uint8)
        fill(mask, corners, np.full((len(corners), 3), 255))
        visible = mask[joints[:, 1], joints[:, 0], 0] > 0
        assert visible.all(), [LAYOUT.joints[i] for i in np.flatnonzero(~visible)]


def test_bones_have_the_same_lengths_in_all_cameras(walker, camera):
    other = replace(camera, height=4.5, distance=6.0, heading=2.0)
    lengths = []
    for view, seed in ((camera, 1), (other, 2)):
        joints = film(walker, view, seed)[0].joints
        for_frames = [np.linalg.norm(joints[:, a] - joints[:, b], axis=-1) for a, b in LAYOUT.bones]
        lengths.append(np.stack(for_frames))
    np.testing.assert_allclose(lengths[0], lengths[1])
    assert np.ptp(lengths[0], axis=1).max() < 1e-9


@pytest.mark.parametrize('seed', range(4))
def test_left_is_left_of_the_walking_direction(walker, camera, seed):
    joints = film(walker, camera, seed, num_frames=12)[0].joints
    ahead = joints[-1, 0] - joints[0, 0]
    down = camera.to_camera(np.zeros(3)) - camera.to_camera(np.array([0.0, 0, 1]))
    to_left = np.cross(ahead, down)
    for left, right in LAYOUT.flip_pairs:
        assert (joints[:, left] - joints[:, right]).mean(axis=0) @ to_left > 0


def test_head_is_above_the_feet_in_the_picture(walker, camera):
    joints = film(walker, camera, seed=1)[0].joints
    assert (joints[:, 10, 1] < joints[:, 3, 1] - 1).all()  # y points down


def test_loose_boxes_hold_the_person(walker, camera):
    shot, _ = film(walker, camera, seed=1, num_frames=20)
    _, top, width, height = shot.boxes.T
    pixels = camera.project(shot.joints)
    inside = (pixels[..., 1] > top[:, None]) & (pixels[..., 1] < (top + height)[:, None])
    assert inside.mean() > 0.97
    assert np.ptp(width / height) > 0  # they jitter


def test_misplaced_boxes_cut_the_person(walker, camera):
    boxes = [
        plan_shot(walker, camera, np.random.default_rng(1), 4, misplaced=miss).boxes
        for miss in (0.0, 0.5)
    ]
    moved = (boxes[1] - boxes[0])[:, :2] / boxes[0][:, 3:]
    assert np.hypot(*moved.T).min() > 0.25


def test_some_shots_have_something_in_the_way(walker, camera):
    scenery = [
        len(plan_shot(walker, camera, np.random.default_rng(seed), 8).scenery) for seed in range(30)
    ]
    assert 5 < sum(scenery) < 25
