"""Gaits: how a walker moves, and the joints that follow from it."""

from dataclasses import dataclass

import numpy as np

from csipreid.skeletons import get_layout
from csipreid.synthetic.body import Body

GAIT_RANGES = dict(
    cadence=(0.74, 1.14),
    hip_swing=(0.27, 0.50),
    knee_swing=(0.85, 1.25),
    arm_swing=(0.10, 0.62),
    arm_asymmetry=(-0.35, 0.35),
    elbow_bend=(0.10, 0.75),
    pelvis_turn=(0.03, 0.16),
    trunk_turn=(0.02, 0.20),
    sway=(0.005, 0.045),
    toe_out=(-0.05, 0.35),
)
_JOINTS = get_layout('h36m').joints
_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Gait:
    """The way one person walks.

    A cycle is two steps and starts when the right heel strikes the ground.

    Args:
        cadence: Cycles per second.
        hip_swing: Amplitude of the thighs, in radians.
        knee_swing: Bend of the knee while the leg swings forward, in radians.
        arm_swing: Amplitude of the upper arms, in radians.
        arm_asymmetry: Share by which the right arm swings more than the left, in (-1, 1).
        elbow_bend: Bend of the elbows, in radians.
        pelvis_turn: Amplitude of the pelvis about the vertical, in radians.
        trunk_turn: Amplitude of the shoulders, against the pelvis, in radians.
        sway: Sideways shift over the standing leg, in metres.
        toe_out: Angle of the feet to the walking direction, in radians.
    """

    cadence: float
    hip_swing: float
    knee_swing: float
    arm_swing: float
    arm_asymmetry: float
    elbow_bend: float
    pelvis_turn: float
    trunk_turn: float
    sway: float
    toe_out: float


@dataclass(frozen=True)
class Motion:
    """A walk over T frames in body axes: forward, left, up, in metres.

    The ground is at 0 and the walker stays above the origin, as on a treadmill.

    Args:
        joints: H36M joints, float64, shape (T, 17, 3).
        heels: Right, then left heel, (T, 2, 3).
        toes: Right, then left tip of the foot, (T, 2, 3).
        stride: Length of a cycle on the ground, in metres.
    """

    joints: np.ndarray
    heels: np.ndarray
    toes: np.ndarray
    stride: float


def walk(body: Body, gait: Gait, cycles: np.ndarray) -> Motion:
    """Pose a body along its gait.

    Args:
        body: Shape and posture.
        gait: Movement.
        cycles: Time in gait cycles, any offset, shape (T,).

    Returns:
        The T poses.
    """
    legs = [_leg(body, gait, cycles, side) for side in (-1, 1)]
    grounded = np.stack([np.stack(leg[3:], axis=1) for leg in legs], axis=1)  # (T, 2, 3, 3)
    # A smooth minimum over both feet, so that the pelvis moves without jolts.
    lowest = -0.008 * np.log(np.exp(-grounded[..., :2, 2] / 0.008).sum(axis=(1, 2)))
    pelvis = -lowest[:, None] * _UP
    pelvis[:, 1] -= gait.sway * np.sin(2 * np.pi * cycles)  # over the standing leg

    places: dict[str, np.ndarray] = {'pelvis': np.zeros_like(pelvis)}
    for name, leg in zip(('right', 'left'), legs, strict=True):
        for joint, place in zip(('hip', 'knee', 'ankle'), leg[:3], strict=True):
            places[f'{name}_{joint}'] = place
    places |= _upper_body(body, gait, cycles)
    joints = np.stack([places[name] for name in _JOINTS], axis=1)
    return Motion(
        joints=joints + pelvis[:, None],
        heels=grounded[:, :, 0] + pelvis[:, None],
        toes=grounded[:, :, 2] + pelvis[:, None],
        stride=_stride(body, gait),
    )


def _leg(body: Body, gait: Gait, cycles: np.ndarray, side: int) -> tuple[np.ndarray, ...]:
    """Place hip, knee, ankle, heel, ball and toe against the pelvis; side -1 is right."""
    phase = cycles if side < 0 else cycles + 0.5
    thigh = 0.12 + gait.hip_swing * np.cos(2 * np.pi * (phase + 0.05)) + body.lean / 4
    knee = 0.08 + 0.20 * _pulse(phase, 0.14, 8) + gait.knee_swing * _pulse(phase, 0.72, 4.5)
    pitch = 0.30 * _pulse(phase, 0.99, 7) - 0.85 * _pulse(phase, 0.63, 8)

    hip = side * body.hip * _turned(gait.pelvis_turn * np.cos(2 * np.pi * cycles))
    narrow = -side * 0.02  # feet land nearer to the middle than the hips are
    knee_joint = hip + body.thigh * _swung(thigh, narrow)
    ankle = knee_joint + body.shin * _swung(thigh - knee, narrow)
    ahead = np.stack([np.cos(pitch), np.zeros_like(pitch), np.sin(pitch)], axis=-1)
    down = np.stack([np.sin(pitch), np.zeros_like(pitch), -np.cos(pitch)], axis=-1)
    outward = np.array([np.cos(gait.toe_out), side * np.sin(gait.toe_out), 1.0])
    ahead = np.stack([ahead[:, 0] * outward[0], ahead[:, 0] * outward[1], ahead[:, 2]], axis=-1)
    sole = ankle + body.ankle_height * down
    heel, ball, toe = (sole + share * body.foot * ahead for share in (-0.25, 0.45, 0.75))
    return hip, knee_joint, ankle, heel, ball, toe


def _upper_body(body: Body, gait: Gait, cycles: np.ndarray) -> dict[str, np.ndarray]:
    """Place the joints above the pelvis, against the pelvis."""
    swing = np.cos(2 * np.pi * cycles)  # 1 when the right leg is in front
    bend = np.full_like(cycles, body.lean)
    spine = body.lower_trunk * _raised(bend)
    thorax = spine + body.upper_trunk * _raised(bend + body.slouch)
    neck = thorax + body.neck * _raised(bend + body.slouch + body.head_drop)
    # The eyes keep looking ahead: the head bends back by half of what the neck bends.
    head = neck + body.head * _raised(bend + body.slouch / 2 + body.head_drop / 2)
    places = dict(spine=spine, thorax=thorax, neck=neck, head=head)

    across = _turned(-gait.trunk_turn * swing)
    for name, side in (('left', 1), ('right', -1)):
        flat, slope = np.cos(body.shoulder_drop), np.sin(body.shoulder_drop)
        shoulder = thorax + body.shoulder * (side * flat * across - slope * _UP)
        amplitude = gait.arm_swing * (1 - side * gait.arm_asymmetry)
        angle = 0.05 + side * amplitude * swing  # with the leg of the other side
        bent = gait.elbow_bend * (1 + 0.35 * side * swing)
        elbow = shoulder + body.upper_arm * _swung(angle, side * body.arm_spread)
        wrist = elbow + body.forearm * _swung(angle + bent, side * body.arm_spread / 2)
        places |= {f'{name}_shoulder': shoulder, f'{name}_elbow': elbow, f'{name}_wrist': wrist}
    return places


def _stride(body: Body, gait: Gait) -> float:
    """Length of a cycle: twice the distance of the feet when a heel strikes."""
    right, left = (_leg(body, gait, np.zeros(1), side)[2] for side in (-1, 1))
    return float(2 * (right - left)[0, 0])


def _pulse(phase: np.ndarray, centre: float, sharpness: float) -> np.ndarray:
    """Rise to 1 once per cycle, at ``centre``."""
    return np.exp(sharpness * (np.cos(2 * np.pi * (phase - centre)) - 1))


def _turned(angle: np.ndarray) -> np.ndarray:
    """Turn the leftward direction about the vertical, (T, 3)."""
    return np.stack([-np.sin(angle), np.cos(angle), np.zeros_like(angle)], axis=-1)


def _swung(angle: np.ndarray, outward: float) -> np.ndarray:
    """Swing the downward direction forward, then to the left, (T, 3)."""
    side = np.full_like(angle, np.sin(outward))
    return np.stack(
        [np.sin(angle) * np.cos(outward), side, -np.cos(angle) * np.cos(outward)], axis=-1
    )


def _raised(angle: np.ndarray) -> np.ndarray:
    """Bend the upward direction forward, (T, 3)."""
    return np.stack([np.sin(angle), np.zeros_like(angle), np.cos(angle)], axis=-1)
