import numpy as np
import pytest

from csipreid.skeletons import get_layout
from csipreid.synthetic.gait import walk

LAYOUT = get_layout('h36m')
INDEX = {name: index for index, name in enumerate(LAYOUT.joints)}
CYCLE = np.linspace(0, 1, 48, endpoint=False)


def side_to_side(motion, name):
    """Forward and leftward lead of the right over the left joint, (T, 3)."""
    return motion.joints[:, INDEX[f'right_{name}']] - motion.joints[:, INDEX[f'left_{name}']]


def test_joints_follow_the_layout(body, gait):
    assert walk(body, gait, CYCLE).joints.shape == (48, LAYOUT.num_joints, 3)


def test_bones_keep_their_lengths(body, gait):
    joints = walk(body, gait, CYCLE).joints
    for parent, child in LAYOUT.bones:
        lengths = np.linalg.norm(joints[:, child] - joints[:, parent], axis=-1)
        assert np.ptp(lengths) < 1e-9


def test_bones_are_those_of_the_body(body, gait):
    joints = walk(body, gait, CYCLE).joints
    thigh = np.linalg.norm(joints[:, INDEX['left_knee']] - joints[:, INDEX['left_hip']], axis=-1)
    assert thigh == pytest.approx(body.thigh)


@pytest.mark.parametrize('name', ['hip', 'knee', 'ankle', 'shoulder', 'elbow', 'wrist'])
def test_left_joints_are_left(body, gait, name):
    assert side_to_side(walk(body, gait, CYCLE), name)[:, 1].mean() < 0


def test_legs_alternate(body, gait):
    lead = side_to_side(walk(body, gait, CYCLE), 'ankle')[:, 0]
    assert lead[0] > 0.3
    assert lead == pytest.approx(-np.roll(lead, 24), abs=1e-9)


def test_arms_swing_against_the_legs(body, gait):
    motion = walk(body, gait, CYCLE)
    legs, arms = side_to_side(motion, 'ankle')[:, 0], side_to_side(motion, 'wrist')[:, 0]
    assert np.corrcoef(legs, arms)[0, 1] < -0.8


def test_knees_bend_backward_only(body, gait):
    joints = walk(body, gait, CYCLE).joints
    for side in ('left', 'right'):
        hip, knee, ankle = (joints[:, INDEX[f'{side}_{n}']] for n in ('hip', 'knee', 'ankle'))
        thigh, shin = knee - hip, ankle - knee
        # The shin points further back than the thigh.
        assert (shin[:, 2] * thigh[:, 0] - shin[:, 0] * thigh[:, 2] < 0).all()


def test_the_lower_foot_stands_on_the_ground(body, gait):
    motion = walk(body, gait, CYCLE)
    lowest = np.minimum(motion.heels, motion.joints[:, [3, 6]])[..., 2].min(axis=1)
    assert np.abs(lowest).max() < 0.06


def test_a_cycle_later_the_pose_is_the_same(body, gait):
    assert walk(body, gait, CYCLE).joints == pytest.approx(walk(body, gait, CYCLE + 1).joints)


def test_stride_is_that_of_a_walking_person(body, gait):
    assert 0.9 < walk(body, gait, CYCLE).stride < 1.9
