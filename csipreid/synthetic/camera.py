"""Surveillance cameras: where they hang, what they see and how they colour it."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A pinhole camera above the origin of a flat ground (x right, y ahead, z up).

    Args:
        height: Height above the ground, in metres.
        distance: Ground distance to the middle of the watched place, in metres.
        focal: Focal length, in pixels.
        image_size: Height and width of the whole picture, in pixels.
        heading: Main walking direction, 0 is to the right, pi / 2 is away, in radians.
        sun: Direction to the light, unit vector in ground axes.
        ambient: Share of the light that comes from everywhere, in [0, 1].
        gains: Colour cast: factor of red, green and blue.
        gamma: Exponent of the tone curve; below 1 is brighter.
        contrast: Factor around mid-grey.
        blur: Standard deviation of the lens blur in a 128-pixel crop, in pixels.
        noise: Standard deviation of the sensor noise, in grey levels.
        quality: JPEG quality, 1 to 100.
    """

    height: float
    distance: float
    focal: float
    image_size: tuple[int, int]
    heading: float
    sun: tuple[float, float, float]
    ambient: float
    gains: tuple[float, float, float]
    gamma: float
    contrast: float
    blur: float
    noise: float
    quality: int

    @cached_property
    def axes(self) -> np.ndarray:
        """Right, down and forward of the camera in ground axes, rows of (3, 3)."""
        forward = np.array([0.0, self.distance, 0.95 - self.height])
        forward /= np.linalg.norm(forward)
        right = np.array([1.0, 0.0, 0.0])
        return np.stack([right, np.cross(forward, right), forward])

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Turn ground axes into camera axes (x right, y down, z forward), (..., 3), metres."""
        return (points - [0.0, 0.0, self.height]) @ self.axes.T

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project camera-axes points (..., 3) in metres to pixels (..., 2), x then y."""
        rows, columns = self.image_size
        depth = np.maximum(points[..., 2:], 0.2)
        return points[..., :2] / depth * self.focal + [columns / 2, rows / 2]


def at_another_hour(camera: Camera, rng: np.random.Generator) -> Camera:
    """Change the light: where the sun stands and how much of it comes through.

    Args:
        camera: The camera.
        rng: Source of randomness.

    Returns:
        The same camera under another light.
    """
    ambient = float(np.clip(camera.ambient + rng.normal(0, 0.12), 0.4, 0.9))
    return replace(camera, sun=_draw_sun(rng), ambient=ambient)


def draw_cameras(rng: np.random.Generator, count: int) -> list[Camera]:
    """Draw cameras that differ in view and in colour.

    Walking directions are spread over the circle, so that the cameras see
    people from the front, from the side and from behind.

    Args:
        rng: Source of randomness.
        count: Number of cameras.

    Returns:
        The cameras.
    """
    turn = rng.uniform(0, 2 * np.pi / count)
    headings = turn + 2 * np.pi * rng.permutation(count) / count
    return [_draw_camera(rng, float(heading)) for heading in headings]


def _draw_camera(rng: np.random.Generator, heading: float) -> Camera:
    """Draw one camera for a walking direction."""
    distance = float(rng.uniform(6.0, 10.0))
    gains = rng.uniform(0.94, 1.06, size=3)
    return Camera(
        height=float(rng.uniform(2.0, 4.5)),
        distance=distance,
        focal=float(rng.uniform(105, 150) * distance),
        image_size=(720, 1280),
        heading=heading,
        sun=_draw_sun(rng),
        ambient=float(rng.uniform(0.45, 0.75)),
        gains=(float(gains[0]), float(gains[1]), float(gains[2])),
        gamma=float(rng.uniform(0.92, 1.10)),
        contrast=float(rng.uniform(0.90, 1.08)),
        blur=float(rng.uniform(0.2, 0.8)),
        noise=float(rng.uniform(2.0, 4.5)),
        quality=int(rng.integers(70, 93)),
    )


def _draw_sun(rng: np.random.Generator) -> tuple[float, float, float]:
    """Draw the direction to a sun that stands neither low nor overhead."""
    azimuth, elevation = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.2)
    return (
        float(np.cos(elevation) * np.cos(azimuth)),
        float(np.cos(elevation) * np.sin(azimuth)),
        float(np.sin(elevation)),
    )
