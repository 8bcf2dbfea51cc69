"""Decoding of image files, with an error for each that is not whole."""

import contextlib

import cv2
import numpy as np

_JPEG_START, _JPEG_END = b'\xff\xd8', b'\xff\xd9'


def decode_image(path: str) -> np.ndarray:
    """Decode an image file, uint8, RGB, (H, W, 3).

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not an image or ends too early.
    """
    with open(path, 'rb') as file:  # not cv2.imread: it fails on some Windows paths
        content = file.read()
    # OpenCV 4.8 fills what a truncated JPEG lacks with grey and says nothing.
    truncated = content.startswith(_JPEG_START) and content.rfind(_JPEG_END) < 0
    image = None
    if content and not truncated:
        with contextlib.suppress(cv2.error):
            image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(
            f'{path} is not an image, or ends too early ({len(content)} bytes); replace it'
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)
