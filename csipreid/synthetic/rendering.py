"""Drawing faces: shading, sorting by distance, filling."""

from typing import NamedTuple

import cv2
import numpy as np

from csipreid.synthetic.camera import Camera
from csipreid.synthetic.faces import Faces

_SHIFT = 3  # fractional bits of drawn coordinates
OVERSAMPLING = 2  # canvas pixels per crop pixel


class Polygons(NamedTuple):
    """Faces as a camera sees them, in drawing order.

    Attributes:
        corners: One array per frame of the visible faces, far to near, in
            pixels of the whole picture, float64, (Q, 4, 2).
        colours: One array per frame, RGB in [0, 255], float64, (Q, 3).
    """

    corners: list[np.ndarray]
    colours: list[np.ndarray]


def look_at(faces: Faces, camera: Camera) -> Polygons:
    """Shade, cull, sort and project faces.

    Args:
        faces: Faces in camera axes.
        camera: The camera, with its light.

    Returns:
        The polygons to fill, one after another.
    """
    corners = faces.corners
    middle = corners.mean(axis=2)  # (T, Q, 3)
    normals = np.cross(corners[:, :, 2] - corners[:, :, 0], corners[:, :, 3] - corners[:, :, 1])
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-9)
    normals *= np.sign(np.sum(normals * (middle - faces.inner), axis=-1, keepdims=True))
    visible = np.sum(normals * middle, axis=-1) < 0
    visible &= middle[..., 2] > 0.3
    sun = camera.axes @ np.array(camera.sun)
    direct = np.maximum(normals @ sun, 0)
    sky = 0.85 - 0.15 * normals[..., 1]  # y points down: faces that look up see more sky
    light = camera.ambient * sky + 1.3 * (1 - camera.ambient) * direct
    colours = np.clip(faces.albedo * light[..., None], 0, 255)
    pixels = camera.project(corners)
    order = np.argsort(-middle[..., 2], axis=1, kind='stable')
    picks = [row[keep[row]] for row, keep in zip(order, visible, strict=True)]
    return Polygons(
        corners=[frame[pick] for frame, pick in zip(pixels, picks, strict=True)],
        colours=[frame[pick] for frame, pick in zip(colours, picks, strict=True)],
    )


def fill(canvas: np.ndarray, corners: np.ndarray, colours: np.ndarray) -> None:
    """Fill polygons one after another.

    Args:
        canvas: RGB picture to draw on, uint8, (H, W, 3).
        corners: Corners in canvas pixels, (Q, 4, 2).
        colours: RGB colours in [0, 255], (Q, 3).
    """
    # Far outside the canvas the fixed-point coordinates would overflow.
    points = np.clip(np.round(corners * (1 << _SHIFT)), -100_000, 100_000).astype(np.int32)
    for polygon, colour in zip(points, colours.tolist(), strict=True):
        cv2.fillConvexPoly(canvas, polygon, colour, cv2.LINE_8, _SHIFT)


def cast_shadow(canvas: np.ndarray, outline: np.ndarray, strength: float) -> None:
    """Darken the canvas inside the convex hull of some points.

    Args:
        canvas: RGB picture to darken, uint8, (H, W, 3).
        outline: Points in canvas pixels, (N, 2).
        strength: How dark the shadow is, in [0, 1].
    """
    rows, columns = canvas.shape[:2]
    mask = np.zeros((rows // 4, columns // 4), np.uint8)
    points = np.clip(outline / 4 * (1 << _SHIFT), -100_000, 100_000).astype(np.int32)
    cv2.fillConvexPoly(mask, cv2.convexHull(points), int(255 * strength), cv2.LINE_8, _SHIFT)
    mask = 255 - cv2.resize(cv2.blur(mask, (5, 3)), (columns, rows))
    cv2.multiply(canvas, cv2.merge([mask, mask, mask]), dst=canvas, scale=1 / 255)


class Sensor:
    """Turns drawn canvases into what a camera records: tone, colour cast, blur, noise.

    Args:
        camera: The camera.
        size: Height and width of the crops, in pixels.
        rng: Source of the noise and of the drift of the light.
    """

    def __init__(self, camera: Camera, size: tuple[int, int], rng: np.random.Generator) -> None:
        drift = np.exp(0.08 * rng.normal() + 0.04 * rng.normal(size=3))
        levels = np.arange(256)[:, None] / 255 * np.array(camera.gains) * drift
        levels = np.clip(levels, 0, 1) ** (camera.gamma * np.exp(0.06 * rng.normal()))
        levels = 0.5 + camera.contrast * (levels - 0.5)
        self._tones = np.clip(np.round(255 * levels), 0, 255).astype(np.uint8)[:, None]
        spare = (size[0] + 32, size[1] + 32, 3)
        field = rng.standard_normal(spare, dtype=np.float32) * camera.noise
        self._noise = np.round(field).astype(np.int16)
        self._blur = camera.blur
        self._size = size
        self._rng = rng

    def record(self, canvas: np.ndarray) -> np.ndarray:
        """Record one frame.

        Args:
            canvas: Drawn RGB picture, uint8, twice the size of the crop.

        Returns:
            The crop, RGB, uint8, (H, W, 3).
        """
        rows, columns = self._size
        crop = cv2.resize(canvas, (columns, rows), interpolation=cv2.INTER_AREA)
        crop = cv2.LUT(cv2.GaussianBlur(crop, (0, 0), self._blur), self._tones)
        y, x = self._rng.integers(33, size=2).tolist()
        return cv2.add(crop, self._noise[y : y + rows, x : x + columns], dtype=cv2.CV_8U)
