"""Coloured quadrilaterals, the material of all drawn things."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Faces:
    """Q quadrilaterals over T frames.

    Args:
        corners: Corners in order around each face, in metres, float64, (T, Q, 4, 3).
        inner: A point behind each face, inside the thing it covers, (T, Q, 3).
        albedo: RGB colours in [0, 255], float64, (Q, 3).
    """

    corners: np.ndarray
    inner: np.ndarray
    albedo: np.ndarray

    def moved(self, move: Callable[[np.ndarray], np.ndarray]) -> 'Faces':
        """Apply a rigid motion; ``move`` maps points (T, N, 3) to points (T, N, 3)."""
        frames, count = self.corners.shape[:2]
        corners = move(self.corners.reshape(frames, count * 4, 3)).reshape(self.corners.shape)
        return replace(self, corners=corners, inner=move(self.inner))


def join(parts: Sequence[Faces]) -> Faces:
    """Put the faces of several things into one set."""
    return Faces(
        corners=np.concatenate([part.corners for part in parts], axis=1),
        inner=np.concatenate([part.inner for part in parts], axis=1),
        albedo=np.concatenate([part.albedo for part in parts], axis=0),
    )


def tube(
    centres: np.ndarray,
    lateral: np.ndarray,
    widths: np.ndarray,
    depths: np.ndarray,
    albedo: np.ndarray,
) -> Faces:
    """Skin a curve with elliptic rings.

    Args:
        centres: Centres of R rings along the curve, shape (T, R, 3).
        lateral: Leftward direction, any length, broadcast to (T, R, 3).
        widths: Half-axes along the leftward direction, broadcast to (T, R), metres.
        depths: Half-axes across it, broadcast to (T, R), metres.
        albedo: Colours of the S sectors between the rings, (R - 1, S, 3). Sectors
            go from left to front on a curve that rises.

    Returns:
        The (R - 1) x S faces.
    """
    sectors = albedo.shape[1]
    axis = np.gradient(centres, axis=1)
    front = _unit(np.cross(np.broadcast_to(lateral, centres.shape), axis))
    side = _unit(np.cross(axis, front))
    angle = 2 * np.pi * np.arange(sectors) / sectors
    widths, depths = (np.broadcast_to(size, centres.shape[:2]) for size in (widths, depths))
    rings = (
        centres[:, :, None]
        + (widths[:, :, None] * np.cos(angle))[..., None] * side[:, :, None]
        + (depths[:, :, None] * np.sin(angle))[..., None] * front[:, :, None]
    )  # (T, R, S, 3)
    after = np.roll(rings, -1, axis=2)
    corners = np.stack([rings[:, :-1], after[:, :-1], after[:, 1:], rings[:, 1:]], axis=3)
    middle = (centres[:, :-1] + centres[:, 1:]) / 2
    frames, pieces = middle.shape[:2]
    return Faces(
        corners=corners.reshape(frames, pieces * sectors, 4, 3),
        inner=np.repeat(middle, sectors, axis=1),
        albedo=albedo.reshape(-1, 3).astype(float),
    )


def box(low: Sequence[float], high: Sequence[float], albedo: np.ndarray, layers: int) -> Faces:
    """Build a box that stands still, without its bottom.

    Args:
        low: Least coordinates, (3,).
        high: Greatest coordinates, (3,).
        albedo: RGB colour, (3,).
        layers: Number of slices by height; thin ones sort better by distance.

    Returns:
        Faces over a single frame, T = 1.
    """
    (x0, y0, z0), (x1, y1, z1) = low, high
    outline = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    heights = np.linspace(z0, z1, layers + 1)
    corners = []
    for bottom, top in pairwise(heights):
        for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            corners.append([(*start, bottom), (*end, bottom), (*end, top), (*start, top)])
    corners.append([(*point, z1) for point in outline])
    inner = np.array([(x0 + x1) / 2, (y0 + y1) / 2, z0])
    quads = np.array(corners)
    centre = quads.mean(axis=1) * [0, 0, 1] + inner * [1, 1, 0]
    centre[-1] = inner
    return Faces(
        corners=quads[None],
        inner=centre[None],
        albedo=np.repeat(np.asarray(albedo, dtype=float)[None], len(quads), axis=0),
    )


def still(faces: Faces, frames: int) -> Faces:
    """Repeat faces of one frame over ``frames`` frames."""
    return replace(
        faces,
        corners=np.repeat(faces.corners, frames, axis=0),
        inner=np.repeat(faces.inner, frames, axis=0),
    )


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Scale to length 1 along the last axis."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
