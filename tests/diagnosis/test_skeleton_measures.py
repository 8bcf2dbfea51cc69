import numpy as np
import pytest

from csipreid.diagnosis.skeleton_measures import measure_tracklet
from csipreid.skeletons import get_layout

LAYOUT = get_layout('h36m')


@pytest.fixture
def body():
    """Ten frames of a body that does not move, with the head up (y points down)."""
    joints = np.random.default_rng(0).uniform(-0.3, 0.3, size=(17, 3))
    joints[LAYOUT.joints.index('head'), 1] = -0.9
    joints[LAYOUT.joints.index('left_ankle'), 1] = 0.9
    return np.repeat(joints[None], 10, axis=0)


def test_a_rigid_body_has_bones_of_one_length(body):
    angles = np.linspace(0, 1, 10)
    turned = np.stack(
        [
            frame @ np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
            for frame, a in zip(body, angles, strict=True)
        ]
    )
    measures = measure_tracklet(turned, LAYOUT)
    assert measures.bone_variation == pytest.approx(0, abs=1e-9)
    assert measures.size == pytest.approx(1.8)
    assert not measures.frozen


def test_a_growing_body_varies_as_its_size(body):
    scales = np.array([0.9, 1.1] * 5)
    measures = measure_tracklet(body * scales[:, None, None], LAYOUT)
    assert measures.bone_variation == pytest.approx(0.1)
    assert measures.bone_outlier == pytest.approx(0.1)


def test_walking_straight_is_no_jitter_and_shaking_is(body):
    steps = np.arange(10)[:, None, None] * np.array([0.05, 0, 0.1])
    assert measure_tracklet(body + steps, LAYOUT).jitter == pytest.approx(0, abs=1e-9)
    shaken = body.copy()
    shaken[::2, 1:] += [0.2, 0, 0]  # not the root
    assert measure_tracklet(shaken, LAYOUT).jitter == pytest.approx(0.2)


def test_equal_frames_are_frozen_unless_they_are_few(body):
    assert measure_tracklet(body, LAYOUT).frozen
    assert not measure_tracklet(body[:3], LAYOUT).frozen


def test_a_head_below_the_feet_is_upside_down(body):
    assert not measure_tracklet(body, LAYOUT).upside_down
    assert measure_tracklet(body * [1, -1, 1], LAYOUT).upside_down


@pytest.mark.parametrize('name', ['coco', 'blazepose', 'smpl', 'kinect20', 'kinect25'])
def test_every_layout_can_be_measured(name):
    layout = get_layout(name)
    skeletons = np.random.default_rng(0).normal(size=(5, layout.num_joints, 3))
    assert np.isfinite(measure_tracklet(skeletons, layout)[:4]).all()
