"""Boxes of tracked people, in the text format of the MOT challenge."""

import os
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np


class TrackedBox(NamedTuple):
    """One person in one frame.

    Attributes:
        frame: Number of the frame, from 1.
        track: Number of the person's track.
        left: Pixels from the left edge of the frame.
        top: Pixels from the upper edge.
        width: Pixels.
        height: Pixels.
    """

    frame: int
    track: int
    left: float
    top: float
    width: float
    height: float

    def cut(self, frame: np.ndarray) -> np.ndarray:
        """Cut the box out of its frame, as far as it lies inside, (h, w, 3).

        Raises:
            ValueError: If nothing of it does.
        """
        height, width = frame.shape[:2]
        left, top = max(0, round(self.left)), max(0, round(self.top))
        right = min(width, round(self.left + self.width))
        bottom = min(height, round(self.top + self.height))
        if right <= left or bottom <= top:
            raise ValueError(f'{self} lies outside of the frame of {width} x {height} pixels')
        return frame[top:bottom, left:right]


def read_boxes(path: str | os.PathLike) -> list[TrackedBox]:
    """Read a MOT text file: ``frame,track,left,top,width,height`` and more, a line per box.

    Args:
        path: The file; fields are separated by commas.

    Returns:
        The boxes by frame, then track.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is no box, a track has two boxes in a frame, or there is no box.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path} not found')
    boxes = []
    for number, line in enumerate(path.read_text(encoding='utf-8-sig').splitlines(), start=1):
        if not line.strip():
            continue
        try:
            values = [float(field) for field in line.split(',')[:6]]
            box = TrackedBox(int(values[0]), int(values[1]), *values[2:])
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            raise ValueError(
                f'{path}, line {number}: must be frame,track,left,top,width,height, got {line!r}'
            ) from error
        if box.frame < 1 or not (box.width > 0 and box.height > 0):
            raise ValueError(
                f'{path}, line {number}: frames count from 1 and boxes have a size, got {line!r}'
            )
        boxes.append(box)
    if not boxes:
        raise ValueError(f'{path} holds no box')
    boxes.sort()
    for before, box in pairwise(boxes):
        if before[:2] == box[:2]:
            raise ValueError(f'{path}: track {box.track} has two boxes in frame {box.frame}')
    return boxes
