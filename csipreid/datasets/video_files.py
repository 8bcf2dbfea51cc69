"""Frames of a video file, one after the other."""

import os
from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from csipreid.file_content import describe_content


class VideoReader:
    """A video from which frames are taken, best in rising order.

    Frames that are not wanted are dropped one by one: jumping in a video is not exact.

    Args:
        path: The video.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If OpenCV cannot read it.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.fspath(path)
        self._frame: np.ndarray | None = None
        self._rewind()

    def take(self, numbers: Iterable[int]) -> dict[int, np.ndarray]:
        """Return frames by their numbers from 1, as far as there are any.

        Returns:
            Frames, each uint8, RGB, (H, W, 3).
        """
        wanted = sorted(set(numbers))
        if wanted and wanted[0] < self._number:
            self._rewind()
        frames = {}
        for number in wanted:
            while self._number < number and self._video.grab():
                self._number += 1
                self._frame = None
            if self._number != number:
                break
            if self._frame is None:
                read, frame = self._video.retrieve()
                if not read:
                    break
                self._frame = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            frames[number] = self._frame
        return frames

    def _rewind(self) -> None:
        """Open the video anew."""
        if not os.path.isfile(self.path):  # OpenCV would also take addresses and patterns
            raise FileNotFoundError(f'video {self.path} not found')
        self._video = cv2.VideoCapture(self.path)
        if not self._video.isOpened():
            content = describe_content(self.path)
            raise ValueError(
                f'{self.path} is not a video that OpenCV can read'
                + (f', but {content}' if content else '')
            )
        self._number = 0
        self._frame = None


def read_video(path: str | os.PathLike) -> Iterator[tuple[int, np.ndarray]]:
    """Yield all frames with their numbers from 1; uint8, RGB, (H, W, 3).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If OpenCV cannot read it.
    """
    video = VideoReader(path)
    number = 1
    while frames := video.take([number]):
        yield number, frames[number]
        number += 1


def frame_size(path: str | os.PathLike) -> tuple[int, int]:
    """Return height and width of the first frame of a video, in pixels.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If OpenCV cannot read it, or it has no frame.
    """
    for _, frame in read_video(path):
        return frame.shape[0], frame.shape[1]
    raise ValueError(f'{path} holds no frame that OpenCV can read')
