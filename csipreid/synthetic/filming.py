"""Filming a walk: who stands where, what is in the way, which boxes are cut out."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from csipreid.synthetic.camera import Camera
from csipreid.synthetic.faces import Faces, box, join, still
from csipreid.synthetic.flesh import dress
from csipreid.synthetic.gait import Motion, walk
from csipreid.synthetic.people import Walker, draw_walkers, vary
from csipreid.synthetic.rendering import OVERSAMPLING, Sensor, cast_shadow, fill, look_at

FRAME_RATE = 12.5  # frames per second
CROP_SIZE = (128, 64)  # height, width


@dataclass(frozen=True)
class Shot:
    """One walk past a camera, before anything is drawn.

    Args:
        joints: Exact H36M joints in camera axes, metres, float64, (T, 17, 3).
        person: Faces of the person, camera axes.
        scenery: Faces of what else stands or walks there, camera axes.
        boxes: Cut-out boxes: left, top, width, height in pixels, (T, 4).
        shadow: Points of the person's shadow on the ground, pixels, (T, N, 2).
    """

    joints: np.ndarray
    person: Faces
    scenery: list[Faces]
    boxes: np.ndarray
    shadow: np.ndarray


def plan_shot(
    walker: Walker,
    camera: Camera,
    rng: np.random.Generator,
    num_frames: int,
    misplaced: float = 0.0,
) -> Shot:
    """Let a walker pass a camera.

    Args:
        walker: Who walks.
        camera: Who watches.
        rng: Source of randomness.
        num_frames: Number of frames T.
        misplaced: How far the boxes miss the person, in box heights.

    Returns:
        The shot.
    """
    walker = vary(walker, rng)
    time = np.arange(num_frames) / FRAME_RATE
    motion = walk(walker.body, walker.gait, rng.uniform() + walker.gait.cadence * time)
    heading = camera.heading + rng.choice([0.0, np.pi]) + rng.normal(0, 0.3)
    middle = np.array([rng.uniform(-3.5, 3.5), camera.distance + rng.uniform(-1.0, 1.0)])
    place = _placement(walker, motion, heading, middle, num_frames)
    person = dress(walker, motion).moved(place)
    path = place(np.zeros((num_frames, 1, 3)))[:, 0, :2]  # (T, 2)
    scenery = _obstacles(camera, rng, path)
    seen = person.moved(camera.to_camera)
    pixels = camera.project(seen.corners).reshape(num_frames, -1, 2)
    return Shot(
        joints=camera.to_camera(place(motion.joints)),
        person=seen,
        scenery=[thing.moved(camera.to_camera) for thing in scenery],
        boxes=_boxes(pixels, rng, misplaced),
        shadow=_shadow(person, camera),
    )


def render_shot(
    shot: Shot, camera: Camera, background: np.ndarray, rng: np.random.Generator
) -> list[np.ndarray]:
    """Draw and record the frames of a shot.

    Args:
        shot: The shot.
        camera: The camera it was planned for.
        background: The camera's empty scene, uint8, (H, W, 3).
        rng: Source of randomness.

    Returns:
        T crops, RGB, uint8, (128, 64, 3).
    """
    polygons = look_at(join([shot.person, *shot.scenery]), camera)
    sensor = Sensor(camera, CROP_SIZE, rng)
    size = np.array([CROP_SIZE[1], CROP_SIZE[0]]) * OVERSAMPLING  # width, height
    frames = []
    for index, (left, top, width, height) in enumerate(shot.boxes.tolist()):
        scale = size / [width, height]
        shift = -np.array([left, top]) * scale
        transform = np.array([[scale[0], 0, shift[0]], [0, scale[1], shift[1]]])
        canvas = cv2.warpAffine(
            background, transform, tuple(size.tolist()), borderMode=cv2.BORDER_REFLECT_101
        )
        cast_shadow(canvas, shot.shadow[index] * scale + shift, 0.7 * (1 - camera.ambient) + 0.1)
        fill(canvas, polygons.corners[index] * scale + shift, polygons.colours[index])
        frames.append(sensor.record(canvas))
    return frames


def _placement(
    walker: Walker, motion: Motion, heading: float, middle: np.ndarray, num_frames: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Make the map from body axes to ground axes, for points (T, N, 3)."""
    ahead = np.array([np.cos(heading), np.sin(heading)])
    speed = motion.stride * walker.gait.cadence
    travel = speed * (np.arange(num_frames) - (num_frames - 1) / 2) / FRAME_RATE
    rotation = np.array([[ahead[0], ahead[1], 0], [-ahead[1], ahead[0], 0], [0, 0, 1]])
    shift = np.zeros((num_frames, 1, 3))
    shift[:, 0, :2] = middle + travel[:, None] * ahead
    return lambda points: points @ rotation + shift


def _obstacles(camera: Camera, rng: np.random.Generator, path: np.ndarray) -> list[Faces]:
    """Put a pole, a box, another person or nothing between camera and path."""
    num_frames = len(path)
    moment = path[rng.integers(num_frames // 4, num_frames - num_frames // 4)]
    kind = rng.uniform()
    colour = rng.integers(50, 190) + rng.integers(-25, 26, size=3)
    nearest = path[:, 1].min()
    if kind < 0.18 and _crossing(path) > 0.15:  # pole, on the line of sight and clear of the path
        x, y = moment * min(rng.uniform(0.60, 0.85), (nearest - 0.4) / moment[1])
        half = rng.uniform(0.04, 0.09)
        pole = box((x - half, y - half, 0.0), (x + half, y + half, 5.0), colour, 12)
        return [still(pole, num_frames)]
    if 0.18 <= kind < 0.34:  # box
        x, y = moment[0] + rng.normal(0, 0.3), nearest - rng.uniform(0.5, 1.0)
        half = rng.uniform(0.2, 0.45)
        low, high = (x - half, y - 0.2, 0.0), (x + half, y + 0.2, rng.uniform(0.4, 0.9))
        return [still(box(low, high, colour, 3), num_frames)]
    if 0.34 <= kind < 0.52:  # another person, before or behind
        other = draw_walkers(rng, 1, group_size=1)[0]
        cycles = rng.uniform() + other.gait.cadence * np.arange(num_frames) / FRAME_RATE
        motion = walk(other.body, other.gait, cycles)
        heading = camera.heading + rng.choice([0.0, np.pi]) + rng.normal(0, 0.4)
        gap = float(rng.choice([rng.uniform(-1.4, -0.7), rng.uniform(0.7, 1.4)]))
        meeting = moment + np.array([rng.normal(0, 0.25), gap])
        place = _placement(other, motion, heading, meeting, num_frames)
        return [dress(other, motion).moved(place)]
    return []


def _crossing(path: np.ndarray) -> float:
    """Angle by which a path (T, 2) moves across the view, in radians."""
    return float(np.ptp(np.arctan2(path[:, 0], path[:, 1])))


def _boxes(pixels: np.ndarray, rng: np.random.Generator, misplaced: float) -> np.ndarray:
    """Cut loosely and unsteadily around the points of a person, (T, 4)."""
    low, high = pixels.min(axis=1), pixels.max(axis=1)  # (T, 2)
    wide, tall = (high - low).T
    centre = (low + high) / 2
    wander = np.zeros((len(pixels), 4))
    state = rng.normal(size=4)
    for row in wander:  # jitter that is partly the same from frame to frame
        state = 0.7 * state + 0.7 * rng.normal(size=4)
        row[:] = state
    loose = 1 + rng.uniform(0.01, 0.10) + 0.015 * wander[:, 0]
    height = tall * loose
    # As wide as the stride asks for, but within what a detector of people returns.
    shape = np.clip(1.05 * np.quantile(wide / tall, 0.9), 0.36, 0.52) * rng.uniform(0.95, 1.1)
    width = height * (shape + 0.010 * wander[:, 1])
    offset = rng.normal(0, 0.01, size=2) + 0.012 * wander[:, 2:]
    if misplaced:
        angle = rng.uniform(0, 2 * np.pi)
        offset += misplaced * np.array([0.6 * np.cos(angle), np.sin(angle)])
    centre = centre + offset * tall[:, None]
    return np.stack([centre[:, 0] - width / 2, centre[:, 1] - height / 2, width, height], axis=1)


def _shadow(person: Faces, camera: Camera) -> np.ndarray:
    """Project a person in ground axes along the light onto the ground, (T, N, 2)."""
    points = person.corners[:, ::3, 0]
    sun = np.array(camera.sun)
    on_ground = points - points[..., 2:] / sun[2] * sun
    return camera.project(camera.to_camera(on_ground))
