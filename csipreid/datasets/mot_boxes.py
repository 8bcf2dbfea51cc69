"""Boxes of tracked people, in the text format of the MOT challenge."""

import os
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from csipreid.file_content import read_text

_NUMBER = re.compile(r'[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?', re.ASCII)
_HIGHEST = 2**31 - 1  # number of a frame or track
_FARTHEST = 1e6  # pixels
_PERSONS = {1, 2, 7}  # classes of MOT: pedestrian, person on vehicle, static person
_SHAPE = 'frame,track,left,top,width,height'


class TrackedBox(NamedTuple):
    """One person in one frame.

    Attributes:
        frame: Number of the frame, from 1.
        track: Number of the person's track, from 0.
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

    def inside(self, height: int, width: int) -> tuple[slice, slice] | None:
        """Return the rows and columns that lie in a frame of this size, None if none do."""
        left, top = max(0, round(self.left)), max(0, round(self.top))
        right = min(width, round(self.left + self.width))
        bottom = min(height, round(self.top + self.height))
        if right <= left or bottom <= top:
            return None
        return slice(top, bottom), slice(left, right)

    def cut(self, frame: np.ndarray) -> np.ndarray:
        """Cut the box out of its frame, as far as it lies inside, (h, w, 3).

        Raises:
            ValueError: If nothing of it does.
        """
        height, width = frame.shape[:2]
        part = self.inside(height, width)
        if part is None:
            raise ValueError(f'{self} lies outside of the frame of {width} x {height} pixels')
        return frame[part]


class Boxes(NamedTuple):
    """The boxes of a file.

    Attributes:
        boxes: By frame, then track.
        ignored: Lines left out because their seventh field, the confidence, is 0, with which
            ground truth marks what is not to be considered.
        others: Lines left out because their class is not a person's.
        outside: Boxes left out because nothing of them lies in the frame.
    """

    boxes: list[TrackedBox]
    ignored: int = 0
    others: int = 0
    outside: int = 0

    def within(self, height: int, width: int) -> 'Boxes':
        """Leave out the boxes of which nothing lies in a frame of this size, in pixels.

        Raises:
            ValueError: If that is so of all.
        """
        boxes = [box for box in self.boxes if box.inside(height, width)]
        if not boxes:
            raise ValueError(
                f'none of {len(self.boxes)} boxes lies in the frames of {width} x {height} '
                'pixels; do boxes and video belong together?'
            )
        return self._replace(boxes=boxes, outside=len(self.boxes) - len(boxes))

    def __str__(self) -> str:
        parts = (
            (self.ignored, 'that are not to be considered (confidence 0)'),
            (self.others, 'that are no people (class)'),
            (self.outside, 'that lie outside of the frame'),
        )
        left_out = [f'{count} {what}' for count, what in parts if count]
        text = f'{len(self.boxes)} boxes'
        return f'{text}; left out: {", ".join(left_out)}' if left_out else text


def read_boxes(path: str | os.PathLike) -> Boxes:
    """Read a MOT text file: ``frame,track,left,top,width,height`` and more, a line per box.

    A seventh field is the confidence, or whether the box is to be considered: lines in which it
    is 0 are left out. In a line of eight or nine fields, as in the ground truth of MOT, the
    eighth is the class: lines of a class that is not a person (1, 2 or 7) are left out, -1 is
    unknown and stays. Boxes may reach beyond the frame.

    Args:
        path: The file; fields are separated by commas.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line is no box, is of no track, a track has two boxes in a frame, or
            no box is left.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'{path} not found')
    boxes, ignored, others = [], 0, 0
    for number, line in enumerate(read_text(path).split('\n'), start=1):
        if not line.strip():
            continue
        try:
            box, considered, person = _parse(line)
        except ValueError as error:
            raise ValueError(f'{path}, line {number}: {error}, got {line[:200]!r}') from None
        if not considered:
            ignored += 1
        elif not person:
            others += 1
        else:
            boxes.append(box)
    if not boxes:
        left_out = f', {ignored + others} lines were left out' if ignored + others else ''
        raise ValueError(
            f'{path} holds no box of a person{left_out} ({ignored} with confidence 0, {others} of '
            'another class)'
        )
    boxes.sort()
    for before, box in pairwise(boxes):
        if before[:2] == box[:2]:
            raise ValueError(f'{path}: track {box.track} has two boxes in frame {box.frame}')
    return Boxes(boxes, ignored, others)


def _parse(line: str) -> tuple[TrackedBox, bool, bool]:
    """Return the box of a line, whether it is to be considered and whether it is a person.

    Raises:
        ValueError: If it is no box; the message is a sentence without its end.
    """
    fields = [field.strip() for field in line.split(',')]
    if len(fields) < 6 or not all(_NUMBER.fullmatch(field) for field in fields[:8]):
        raise ValueError(f'must be {_SHAPE} and, if at all, confidence and class, all numbers')
    values = list(map(float, fields[:8]))
    _check_whole(values[:2], 'frame and track')
    frame, track = int(values[0]), int(values[1])
    if track == -1:
        raise ValueError(
            'track -1 is a detection that nobody has tracked; link the boxes to tracks first'
        )
    box = TrackedBox(frame, track, *values[2:6])
    if not (frame >= 1 and track >= 0 and box.width > 0 and box.height > 0):
        raise ValueError('frames count from 1 and boxes have a size, tracks count from 0')
    if max(map(abs, values[2:6])) > _FARTHEST:
        raise ValueError(f'a box lies within {_FARTHEST:.0f} pixels')
    kind = -1.0
    if len(fields) in (8, 9):
        kind = values[7]
        _check_whole([kind], 'the class')
    return box, len(values) < 7 or values[6] != 0, kind == -1 or kind in _PERSONS


def _check_whole(values: Iterable[float], what: str) -> None:
    """Refuse numbers that are not whole or too large."""
    for value in values:
        if not value.is_integer() or abs(value) > _HIGHEST:
            raise ValueError(f'{what} must be whole, up to {_HIGHEST}')
