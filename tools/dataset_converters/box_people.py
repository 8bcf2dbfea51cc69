"""Box the people that walk through a video of a camera that stands still.

What differs from a frame without people is a person, if it is tall enough; boxes that overlap
from frame to frame are one person's. This is enough for people who pass one by one in front of
a quiet scene; for anything else take a detector and tracker of your own, which write the
same format: MOT text, a line ``frame,track,left,top,width,height,confidence,-1,-1,-1`` for each
box, frames and tracks from 1, pixels::

    python tools/dataset_converters/box_people.py video.mp4 --out boxes.txt
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from rich.progress import track

from csipreid.arguments import output_file, real, whole
from csipreid.datasets.video_files import read_video


class Box(NamedTuple):
    """A box in pixels."""

    left: int
    top: int
    width: int
    height: int


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('video', help='video file')
    parser.add_argument('--out', required=True, type=output_file, help='text file to write')
    parser.add_argument(
        '--background', type=whole(1), default=1, help='number of a frame without people, from 1'
    )
    parser.add_argument(
        '--min-height',
        type=real(above=0, highest=1),
        default=0.5,
        help='of a person, as a share of the frame',
    )
    parser.add_argument(
        '--threshold',
        type=whole(0, 255),
        default=30,
        help='difference to the background, in 0 … 255',
    )
    parser.add_argument('--max-gap', type=whole(0), default=10, help='frames that a track may miss')
    parser.add_argument(
        '--min-frames', type=whole(1), default=20, help='boxes that a track must have'
    )
    parser.add_argument(
        '--border',
        type=whole(0),
        default=2,
        help='pixels from the edge within which a box is cut off',
    )
    return parser.parse_args(argv)


def find_background(path: str, number: int) -> tuple[np.ndarray, int]:
    """Return a frame (from 1), uint8, RGB, (H, W, 3), and the number of frames of the video."""
    background, total = None, 0
    for total, frame in read_video(path):
        if total == number:
            background = frame
    if background is None:
        raise ValueError(f'{path} has {total} frames, so it has no frame {number}')
    return background, total


def find_boxes(
    frame: np.ndarray, background: np.ndarray, threshold: int, min_height: float, border: int
) -> list[Box]:
    """Return the boxes of what stands before the background, tall and whole."""
    difference = cv2.absdiff(frame, background).max(axis=2)
    mask = (cv2.GaussianBlur(difference, (5, 5), 0) > threshold).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    # Legs and trunk may be apart where clothes look like the wall: close over tall gaps. With
    # room around, or what is near an edge would be closed to the edge.
    gap = max(3, len(mask) // 17)
    mask = cv2.copyMakeBorder(mask, gap, gap, gap, gap, cv2.BORDER_CONSTANT)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((gap, gap // 3), np.uint8))
    mask = np.ascontiguousarray(mask[gap:-gap, gap:-gap])
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    height, width = mask.shape
    boxes = [Box(*row[:4].tolist()) for row in stats[1:]]
    return [
        box
        for box in boxes
        if box.height >= min_height * height
        and box.height > 1.2 * box.width
        and box.left >= border
        and box.left + box.width <= width - border
        and box.top + box.height <= height - border
    ]


def overlap(first: Box, second: Box) -> float:
    """Return the area that two boxes share over the area that they cover."""
    width = min(first.left + first.width, second.left + second.width) - max(first.left, second.left)
    height = min(first.top + first.height, second.top + second.height) - max(first.top, second.top)
    shared = max(0, width) * max(0, height)
    return shared / (first.width * first.height + second.width * second.height - shared)


def link(boxes: Sequence[Sequence[Box]], max_gap: int) -> list[list[tuple[int, Box]]]:
    """Join boxes of successive frames into tracks; each is a list of (frame from 0, box)."""
    tracks: list[list[tuple[int, Box]]] = []
    for frame, found in enumerate(boxes):
        free = list(found)
        for item in tracks:
            last_frame, last = item[-1]
            if not free or frame - last_frame > max_gap + 1:
                continue
            best = max(free, key=lambda box, last=last: overlap(box, last))  # type: ignore[misc]
            if overlap(best, last) > 0.2:
                item.append((frame, best))
                free.remove(best)
        tracks += [[(frame, box)] for box in free]
    return tracks


def main(argv: Sequence[str] | None = None) -> None:
    """Box, link and write."""
    args = parse_args(argv)
    if os.path.realpath(args.out) == os.path.realpath(args.video):
        sys.exit(f'error: --out {args.out} is the video itself')
    try:
        background, total = find_background(args.video, args.background)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    frames = track(
        read_video(args.video), 'Boxing', total, disable=not sys.stdout.isatty(), transient=True
    )
    boxes = [
        find_boxes(frame, background, args.threshold, args.min_height, args.border)
        for _, frame in frames
    ]
    tracks = [t for t in link(boxes, args.max_gap) if len(t) >= args.min_frames]
    lines = sorted(
        (frame + 1, number, *box)
        for number, item in enumerate(tracks, start=1)
        for frame, box in item
    )
    partial = args.out.with_name(f'{args.out.name}.partial')
    args.out.parent.mkdir(parents=True, exist_ok=True)
    partial.write_text(
        ''.join(f'{",".join(map(str, line))},1,-1,-1,-1\n' for line in lines), encoding='utf-8'
    )
    os.replace(partial, args.out)
    for number, item in enumerate(tracks, start=1):
        print(f'track {number}: {len(item)} boxes, frames {item[0][0] + 1} to {item[-1][0] + 1}')
    print(f'{len(tracks)} tracks in {total} frames; {args.out}')


if __name__ == '__main__':
    main()
