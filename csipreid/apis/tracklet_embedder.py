"""Embeddings of people in a video, from the frames and boxes of any tracker."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmengine.config import Config

from csipreid.apis.inferencer import VideoReIDInferencer
from csipreid.datasets.mot_boxes import TrackedBox
from csipreid.datasets.transforms import ResizeFrames
from csipreid.deployment.frame_settings import Color

_FARTHEST = 1e6  # pixels


class EndedTrack(NamedTuple):
    """A track that is over.

    Attributes:
        track_id: As the tracker calls it; it may come again for another track.
        embedding: Of unit length, float32, (D,).
        first_frame: Frame of its first crop, from 0.
        last_frame: Frame of its last crop.
        num_crops: Crops that were seen, of which some were kept.
    """

    track_id: int
    embedding: np.ndarray
    first_frame: int
    last_frame: int
    num_crops: int


@dataclass
class _Track:
    """Crops of a track: each ``stride``-th one that was seen."""

    first_frame: int
    last_frame: int
    crops: list[np.ndarray] = field(default_factory=list)
    stride: int = 1
    seen: int = 0
    embedding: np.ndarray | None = None


class TrackletEmbedder:
    """Collect the crops of tracks frame by frame, and embed each track.

    Of a track of up to ``max_crops`` crops all are kept, and its embedding is that of
    :class:`VideoReIDInferencer` for the list of them. Of a longer one every second is kept,
    then every fourth and so on, and the test pipeline chooses among these: the memory of a
    track is ``max_crops`` frames of the size of the model's input, however long it lasts. A
    track without a crop for more than ``max_gap`` frames has ended; its embedding is handed
    out once and forgotten.

    Boxes are (left, top, right, bottom) in pixels, any real or whole dtype. What lies outside
    of the frame is cut off. A box of which nothing lies inside, one without area and one with
    a value that is not finite give no crop, as trackers extrapolate such boxes; one whose
    right edge lies left of its left edge, or lower above upper, is an error, since boxes are
    then of another format. A track id of -1 is no track, as of a detection not yet confirmed.

    Args:
        model: Config, or an ``.onnx`` file; see :class:`VideoReIDInferencer`.
        weights: Checkpoint.
        device: Where to compute; None takes the GPU where there is one.
        settings: Of an ``.onnx`` file of another origin.
        color: Order of the channels of the frames: 'rgb', or 'bgr' as OpenCV reads them.
        max_crops: Crops kept of a track.
        max_gap: Frames that a track may be away.
        batch_size: Tracks or boxes computed at a time.

    Attributes:
        frame: Number of the next frame, from 0.

    Raises:
        FileNotFoundError, ImportError, ValueError: As of :class:`VideoReIDInferencer`; or if
            an option cannot be.
    """

    def __init__(
        self,
        model: str | os.PathLike | Config | None = None,
        weights: str | os.PathLike | None = None,
        device: str | torch.device | None = None,
        settings: Mapping[str, Any] | str | os.PathLike | None = None,
        color: Color = 'rgb',
        max_crops: int = 64,
        max_gap: int = 30,
        batch_size: int = 32,
    ) -> None:
        if color not in ('rgb', 'bgr'):
            raise ValueError(f"color must be 'rgb' or 'bgr', got {color!r}")
        for name, value, lowest in (
            ('max_crops', max_crops, 2),
            ('max_gap', max_gap, 0),
            ('batch_size', batch_size, 1),
        ):
            if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
                raise ValueError(f'{name} must be a whole number from {lowest}, got {value!r}')
        self.inferencer = VideoReIDInferencer(
            model, weights, device, show_progress=False, settings=settings
        )
        self.color = color
        self.max_crops, self.max_gap, self.batch_size = max_crops, max_gap, batch_size
        self.frame = 0
        self._resize = ResizeFrames(size=self.inferencer.settings.input_size)
        self._tracks: dict[int, _Track] = {}

    def __call__(self, frame: np.ndarray, boxes: np.ndarray | Sequence) -> np.ndarray:
        """Embed the boxes of one frame, as trackers call a network; no track is kept.

        Args:
            frame: uint8, (H, W, 3), in the ``color`` of the constructor.
            boxes: (N, 4), N may be 0.

        Returns:
            Of unit length, float32, (N, D); zero for a box that gives no crop, so that its
            cosine with anything is zero.

        Raises:
            TypeError, ValueError: If it is no frame, or no boxes.
        """
        crops = self._cut(frame, boxes)
        found = [index for index, crop in enumerate(crops) if crop is not None]
        if not found:
            return np.zeros((len(crops), self._embed_dim()), np.float32)
        stacked = np.stack([crops[index] for index in found])  # type: ignore[misc]
        embeddings = self.inferencer.embed_frames(stacked, self.batch_size)
        result = np.zeros((len(crops), embeddings.shape[1]), np.float32)
        result[found] = embeddings
        return result

    def update(
        self, frame: np.ndarray, boxes: np.ndarray | Sequence, track_ids: Sequence[int] | np.ndarray
    ) -> list[EndedTrack]:
        """Take the next frame.

        Args:
            frame: uint8, (H, W, 3), in the ``color`` of the constructor.
            boxes: (N, 4), N may be 0.
            track_ids: Whole numbers, one for each box, different but for -1.

        Returns:
            The tracks that ended before it.

        Raises:
            TypeError, ValueError: If it is no frame, no boxes, or the ids do not fit; the
                frame then counts as not taken.
        """
        ids = _track_ids(track_ids)
        crops = self._cut(frame, boxes, [track_id != -1 for track_id in ids])
        if len(ids) != len(crops):
            raise ValueError(
                f'track_ids must be one for each of {len(crops)} boxes, got {len(ids)}'
            )
        oldest = self.frame - self.max_gap - 1
        ended = [i for i, track in self._tracks.items() if track.last_frame < oldest]
        result = self._end(ended)
        for track_id, crop in zip(ids, crops, strict=True):
            if crop is not None:
                self._keep(track_id, crop)
        self.frame += 1
        return result

    def embeddings(self, track_ids: Iterable[int] | None = None) -> dict[int, np.ndarray]:
        """Embed tracks that have not ended; what has not changed is not computed again.

        Args:
            track_ids: Which; None all.

        Returns:
            By track id, of unit length, float32, (D,) each.

        Raises:
            KeyError: If there is no such track.
        """
        wanted = list(self._tracks if track_ids is None else map(int, track_ids))
        unknown = [track_id for track_id in wanted if track_id not in self._tracks]
        if unknown:
            raise KeyError(f'there is no track {unknown[0]}; there are {sorted(self._tracks)}')
        stale = [track_id for track_id in wanted if self._tracks[track_id].embedding is None]
        if stale:
            crops = [self._tracks[track_id].crops for track_id in stale]
            for track_id, embedding in zip(
                stale, self.inferencer(crops, batch_size=self.batch_size), strict=True
            ):
                self._tracks[track_id].embedding = embedding
        return {i: self._tracks[i].embedding for i in wanted}  # type: ignore[misc]

    def finish(self) -> list[EndedTrack]:
        """End all tracks, as at the end of a video; the next frame has the number 0."""
        result = self._end(list(self._tracks))
        self.frame = 0
        return result

    def _end(self, track_ids: list[int]) -> list[EndedTrack]:
        """Embed tracks and forget them."""
        embeddings = self.embeddings(track_ids)
        return [
            EndedTrack(i, embeddings[i], track.first_frame, track.last_frame, track.seen)
            for i, track in ((i, self._tracks.pop(i)) for i in track_ids)
        ]

    def _keep(self, track_id: int, crop: np.ndarray) -> None:
        """Give a track the crop of this frame."""
        track = self._tracks.setdefault(track_id, _Track(self.frame, self.frame))
        track.last_frame = self.frame
        if track.seen % track.stride == 0:
            if len(track.crops) == self.max_crops:
                track.crops = track.crops[::2]
                track.stride *= 2
            if track.seen % track.stride == 0:
                track.crops.append(crop)
            track.embedding = None
        track.seen += 1

    def _cut(
        self, frame: np.ndarray, boxes: np.ndarray | Sequence, wanted: list[bool] | None = None
    ) -> list[np.ndarray | None]:
        """Cut boxes out, RGB, uint8, in the size of the model's input; None without a crop."""
        if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8:
            kind = frame.dtype if isinstance(frame, np.ndarray) else type(frame).__name__
            raise TypeError(f'a frame must be an array of uint8, got {kind}')
        if frame.ndim != 3 or frame.shape[2] != 3 or not frame.size:
            raise ValueError(f'a frame must be of shape (H, W, 3), got {frame.shape}')
        corners = np.asarray(boxes, np.float64)
        corners = corners.reshape(0, 4) if not corners.size else corners
        if corners.ndim != 2 or corners.shape[1] != 4:
            raise ValueError(f'boxes must be of shape (N, 4), got {corners.shape}')
        swapped = np.flatnonzero((corners[:, 2:] < corners[:, :2]).any(axis=1))
        if swapped.size:
            raise ValueError(
                f'box {swapped[0]} is {corners[swapped[0]].tolist()}: right of left or lower of '
                'upper does not hold; boxes are left, top, right, bottom'
            )
        return [
            self._crop(frame, box) if wanted is None or (k < len(wanted) and wanted[k]) else None
            for k, box in enumerate(corners)
        ]

    def _crop(self, frame: np.ndarray, box: np.ndarray) -> np.ndarray | None:
        """Cut one box out and resize it."""
        if not np.isfinite(box).all():
            return None
        left, top, right, bottom = np.clip(box, -_FARTHEST, _FARTHEST).tolist()
        place = TrackedBox(1, 0, left, top, right - left, bottom - top)
        part = place.inside(*frame.shape[:2])
        if part is None:
            return None
        crop = frame[part]
        if self.color == 'bgr':
            crop = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)
        return self._resize(dict(frames=[crop]))['frames'][0]

    def _embed_dim(self) -> int:
        """Return the width of the embeddings."""
        if not hasattr(self, '_width'):
            blank = np.zeros((1, *self.inferencer.settings.input_size, 3), np.uint8)
            self._width = self.inferencer.embed_frames(blank).shape[1]
        return self._width


def _track_ids(track_ids: Sequence[int] | np.ndarray) -> list[int]:
    """Return track ids as whole numbers.

    Raises:
        TypeError, ValueError: If they are none, or two are the same.
    """
    if track_ids is None:
        raise TypeError('track_ids are missing; give the boxes of a tracker, not of a detector')
    array = np.asarray(track_ids).ravel()
    if array.size and array.dtype.kind not in 'iu':
        raise TypeError(f'track_ids must be whole numbers, got {array.dtype}')
    ids = [int(track_id) for track_id in array]
    real = [track_id for track_id in ids if track_id != -1]
    if len(set(real)) < len(real):
        raise ValueError(f'track_ids must be different in a frame, got {ids}')
    return ids
