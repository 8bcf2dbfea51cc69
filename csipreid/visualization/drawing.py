"""Drawing of tracklets: arrays in, arrays out, nothing shown or written."""

from collections.abc import Sequence

import cv2
import numpy as np

Colour = tuple[int, int, int]

# Okabe-Ito hues for limbs on the person's right, left and middle, RGB.
RIGHT_LIMB: Colour = (213, 94, 0)
LEFT_LIMB: Colour = (0, 114, 178)
MIDDLE_LIMB: Colour = (240, 228, 66)


def pick_evenly(num_items: int, num_picked: int) -> np.ndarray:
    """Return at most ``num_picked`` indices spread evenly over ``num_items``, int64, ascending."""
    if num_items <= num_picked:
        return np.arange(num_items)
    return ((np.arange(num_picked) + 0.5) * num_items / num_picked).astype(np.int64)


def draw_strip(
    frames: Sequence[np.ndarray],
    height: int = 128,
    width: int = 64,
    num_frames: int = 4,
    gap: int = 2,
    background: Colour = (255, 255, 255),
) -> np.ndarray:
    """Lay frames of a tracklet side by side, each fitted into a cell without distortion.

    Args:
        frames: RGB images, uint8, each (h, w, 3); sizes may differ.
        height: Height of a cell in pixels.
        width: Width of a cell in pixels.
        num_frames: Cells of the strip; frames are picked evenly, and cells stay
            empty if there are fewer.
        gap: Pixels between cells.
        background: RGB in [0, 255].

    Returns:
        RGB image, uint8, (height, num_frames * width + (num_frames - 1) * gap, 3).
    """
    strip = np.full((height, num_frames * (width + gap) - gap, 3), background, np.uint8)
    for cell, index in enumerate(pick_evenly(len(frames), num_frames)):
        frame = frames[index]
        scale = min(height / frame.shape[0], width / frame.shape[1])
        size = (
            max(1, min(width, round(frame.shape[1] * scale))),
            max(1, min(height, round(frame.shape[0] * scale))),
        )
        smaller = scale < 1
        resized = cv2.resize(
            frame, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        )
        top = (height - size[1]) // 2
        left = cell * (width + gap) + (width - size[0]) // 2
        strip[top : top + size[1], left : left + size[0]] = resized
    return strip


def fit_skeleton(skeleton: np.ndarray, image_size: tuple[int, int]) -> np.ndarray:
    """Place a 3D skeleton on a person crop, seen along the optical axis.

    The crop's camera is unknown, so depth is dropped and the body is scaled to
    90 % of the crop's height (or less, if it is wide) and centred. This shows
    the pose, not the exact place of the joints.

    Args:
        skeleton: Joints in metres, camera axes (x right, y down), float, (V, 3).
        image_size: Height and width of the crop in pixels.

    Returns:
        Joints in pixels (x, y), float64, (V, 2).
    """
    flat = np.asarray(skeleton, np.float64)[:, :2]
    low, high = flat.min(axis=0), flat.max(axis=0)
    room = 0.9 * np.array([image_size[1], image_size[0]])
    scale = float(np.min(room / np.maximum(high - low, 1e-6)))
    return (flat - (low + high) / 2) * scale + np.array([image_size[1], image_size[0]]) / 2


def draw_skeleton(
    image: np.ndarray,
    joints: np.ndarray,
    bones: Sequence[tuple[int, int]],
    flip_pairs: Sequence[tuple[int, int]] = (),
    thickness: int = 1,
) -> np.ndarray:
    """Draw bones over a copy of an image, left and right limbs in their colours.

    Args:
        image: RGB, uint8, (H, W, 3).
        joints: Pixels (x, y), float, (V, 2).
        bones: Pairs of joint indices to connect.
        flip_pairs: Pairs (left, right) of joint indices; bones that end in
            neither are drawn as the middle of the body.
        thickness: Line width in pixels.
    """
    drawn = image.copy()
    left = {pair[0] for pair in flip_pairs}
    right = {pair[1] for pair in flip_pairs}
    points = np.rint(joints).astype(int)
    for start, end in bones:
        colour = LEFT_LIMB if end in left else RIGHT_LIMB if end in right else MIDDLE_LIMB
        cv2.line(
            drawn, points[start].tolist(), points[end].tolist(), colour, thickness, cv2.LINE_AA
        )
    return drawn


def draw_border(image: np.ndarray, colour: Colour, width: int = 4) -> np.ndarray:
    """Put a frame of ``width`` pixels around an image, which grows by twice that."""
    height, length = image.shape[:2]
    framed = np.full((height + 2 * width, length + 2 * width, 3), colour, np.uint8)
    framed[width : width + height, width : width + length] = image
    return framed


def draw_caption(
    image: np.ndarray,
    text: str,
    height: int = 16,
    colour: Colour = (40, 40, 40),
    background: Colour = (255, 255, 255),
) -> np.ndarray:
    """Put a line of text below an image, shrunk to the image's width.

    OpenCV's font has ASCII characters only; others appear as question marks.
    """
    caption = np.full((height, image.shape[1], 3), background, np.uint8)
    (length, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.0, 1)
    scale = min(0.028 * height, (image.shape[1] - 4) / max(1, length))
    cv2.putText(
        caption,
        text,
        (2, round(0.72 * height)),
        cv2.FONT_HERSHEY_SIMPLEX,
        scale,
        colour,
        1,
        cv2.LINE_AA,
    )
    return np.concatenate([image, caption])


def stack_images(
    images: Sequence[np.ndarray],
    axis: int,
    gap: int = 6,
    background: Colour = (255, 255, 255),
) -> np.ndarray:
    """Stack images down (axis 0) or across (axis 1), padded to a common size.

    Args:
        images: RGB, uint8, at least one, each (h, w, 3).
        axis: 0 or 1.
        gap: Pixels between images.
        background: RGB in [0, 255] of gaps and padding.
    """
    across = 1 - axis
    extent = max(image.shape[across] for image in images)
    total = sum(image.shape[axis] for image in images) + gap * (len(images) - 1)
    shape = (total, extent) if axis == 0 else (extent, total)
    canvas = np.full((*shape, 3), background, np.uint8)
    position = 0
    for image in images:
        if axis == 0:
            canvas[position : position + image.shape[0], : image.shape[1]] = image
        else:
            canvas[: image.shape[0], position : position + image.shape[1]] = image
        position += image.shape[axis] + gap
    return canvas
