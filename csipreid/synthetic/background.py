"""The places that cameras watch: ground, wall and sky."""

import cv2
import numpy as np

from csipreid.synthetic.camera import Camera


def paint_background(camera: Camera, rng: np.random.Generator) -> np.ndarray:
    """Paint the empty scene in front of a camera.

    Args:
        camera: The camera.
        rng: Source of randomness.

    Returns:
        RGB picture before the camera's colour cast, uint8, (H, W, 3).
    """
    rows, columns = camera.image_size
    wall_at = camera.distance + rng.uniform(4.0, 7.0)
    picture = np.empty((rows, columns, 3), np.uint8)
    picture[:] = rng.integers(150, 230, size=3) // [1.2, 1.1, 1.0]
    ground = _ground_texture(rng)
    near = 0.4 * camera.height
    corners = [(-14.0, near, 0.0), (14.0, near, 0.0), (14.0, wall_at, 0.0), (-14.0, wall_at, 0.0)]
    _paste(picture, ground, camera, np.array(corners))
    wall = _wall_texture(rng)
    corners = [(-14, wall_at, 0.0), (14, wall_at, 0.0), (14, wall_at, 6.0), (-14, wall_at, 6.0)]
    _paste(picture, wall, camera, np.array(corners, dtype=float))
    return cv2.GaussianBlur(picture, (0, 0), 1.2)


def _paste(picture: np.ndarray, texture: np.ndarray, camera: Camera, corners: np.ndarray) -> None:
    """Draw a texture onto a rectangle in the scene; its last row lies at the first corners."""
    rows, columns = texture.shape[:2]
    source = np.array([(0, rows), (columns, rows), (columns, 0), (0, 0)], np.float32)
    target = camera.project(camera.to_camera(corners)).astype(np.float32)
    transform = cv2.getPerspectiveTransform(source, target)
    size = (picture.shape[1], picture.shape[0])
    cv2.warpPerspective(
        texture,
        transform,
        size,
        dst=picture,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )


def _ground_texture(rng: np.random.Generator) -> np.ndarray:
    """Paint strips of paving, asphalt and lawn, with lines and stains."""
    texture = np.empty((520, 1120, 3), np.uint8)
    x = 0
    while x < texture.shape[1]:
        width = int(rng.integers(60, 200))
        piece = texture[:, x : x + width]
        piece[:] = _surface(rng, piece.shape[1])
        x += width
    if rng.uniform() < 0.6:  # a painted line
        y = int(rng.integers(100, 420))
        cv2.rectangle(texture, (0, y), (texture.shape[1], y + 9), (216, 212, 190), -1)
    for _ in range(12):
        centre = (int(rng.integers(1120)), int(rng.integers(520)))
        axes = (int(rng.integers(10, 60)), int(rng.integers(5, 30)))
        stain = texture.copy()
        cv2.ellipse(stain, centre, axes, 0, 0, 360, (60, 58, 54), -1)
        cv2.addWeighted(stain, 0.35, texture, 0.65, 0, dst=texture)
    return texture


def _surface(rng: np.random.Generator, width: int) -> np.ndarray:
    """Paint one strip of ground, uint8, (520, width, 3)."""
    kind = rng.uniform()
    if kind < 0.15:  # lawn
        return _grain(rng, (520, width), np.array([98, 112, 88]) + rng.integers(-6, 7, size=3))
    colour = rng.integers(106, 142) + np.array([4, 0, -4]) * rng.normal(0, 1.0)
    strip = _grain(rng, (520, width), colour)
    if kind < 0.75:  # paving
        joint = (colour * 0.72).tolist()
        step = int(rng.integers(24, 60))
        for x in range(0, width, step):
            cv2.line(strip, (x, 0), (x, 520), joint, 1)
        for y in range(0, 520, step):
            cv2.line(strip, (0, y), (width, y), joint, 1)
    return strip


def _wall_texture(rng: np.random.Generator) -> np.ndarray:
    """Paint a row of house fronts with windows, doors, plants and parked things."""
    texture = np.empty((240, 1120, 3), np.uint8)
    x = 0
    while x < 1120:
        width = int(rng.integers(100, 260))
        piece = texture[:, x : x + width]
        colour = rng.integers(104, 158) + rng.integers(-7, 8, size=3)
        piece[:] = _grain(rng, (240, piece.shape[1]), colour)
        piece[210:] = (colour * 0.75).astype(np.uint8)
        x += width
    x = 0
    while x < 1120:
        width = int(rng.integers(40, 110))
        _decorate(texture, x, width, rng)
        x += width
    return texture


def _decorate(texture: np.ndarray, x: int, width: int, rng: np.random.Generator) -> None:
    """Paint something in front of a piece of wall, and a window above it."""
    kind = rng.integers(5)
    colour = (rng.integers(75, 160) + rng.integers(-22, 23, size=3)).tolist()
    if kind == 0:  # shop window
        cv2.rectangle(texture, (x + 6, 110), (x + width, 215), (72, 66, 60), -1)
        cv2.rectangle(texture, (x + 10, 116), (x + width - 4, 209), (96, 112, 124), -1)
    elif kind == 1:  # door
        cv2.rectangle(texture, (x + 8, 140), (x + 44, 240), colour, -1)
    elif kind == 2:  # poster
        cv2.rectangle(texture, (x + 8, 130), (x + 40, 185), colour, -1)
        cv2.rectangle(texture, (x + 13, 136), (x + 35, 160), (224, 222, 214), -1)
    elif kind == 3:  # bush
        for _ in range(14):
            centre = (x + int(rng.integers(5, width)), int(rng.integers(185, 240)))
            green = (int(rng.integers(62, 96)), int(rng.integers(88, 124)), 66)
            cv2.circle(texture, centre, int(rng.integers(7, 20)), green, -1)
    else:  # parked thing
        cv2.rectangle(texture, (x + 4, 190), (x + width - 6, 238), colour, -1)
        cv2.rectangle(texture, (x + 12, 178), (x + width - 16, 196), (66, 74, 82), -1)
    cv2.rectangle(texture, (x + 14, 20), (x + 14 + width // 3, 72), (88, 100, 112), -1)


def _grain(rng: np.random.Generator, size: tuple[int, int], colour: np.ndarray) -> np.ndarray:
    """Paint a rough surface: noise at several scales around a colour."""
    grain = np.zeros((*size, 1), np.float32)
    for scale, strength in ((4, 6.0), (16, 6.0), (80, 6.0)):
        coarse = rng.standard_normal((size[0] // scale + 2, size[1] // scale + 2))
        grain[..., 0] += strength * cv2.resize(coarse.astype(np.float32), size[::-1])
    return np.clip(grain + colour, 0, 255).astype(np.uint8)
