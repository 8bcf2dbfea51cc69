r"""Cut the people out of a video into the folder layout of TrackletFolder.

Each track of the boxes (MOT text) is a person. The tracks for training go to ``train``; of the
others the first tracklet queries and the rest is the gallery::

    python tools/dataset_converters/cut_tracklets.py video.mp4 boxes.txt --out data/folder \
        --train-tracks 1 2 3 4 --length 30

For several cameras run it once per video, with ``--camera`` and, where a person's tracks have
other numbers, ``--pids TRACK:PID ...``. Running it again on a video replaces what was cut out of
that video; what comes from elsewhere is never touched. Boxes that reach beyond the frame are cut
off at its edge, those outside of it are left out and counted.
"""

import argparse
import os
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import cv2

from csipreid.arguments import output_folder, whole
from csipreid.datasets.mot_boxes import TrackedBox, read_boxes
from csipreid.datasets.video_files import frame_size, read_video
from csipreid.output_folder import OutputFolder

JPEG = [cv2.IMWRITE_JPEG_QUALITY, 95]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('video', help='video file')
    parser.add_argument('boxes', help='MOT text file with the boxes of tracked people')
    parser.add_argument('--out', required=True, type=output_folder, help='folder of the data set')
    parser.add_argument('--train-tracks', type=int, nargs='*', default=[], help='for training')
    parser.add_argument('--length', type=whole(0), default=0, help='frames per tracklet; 0: all')
    parser.add_argument('--camera', type=whole(0), default=0, help='from 1; 0 when unknown')
    parser.add_argument(
        '--pids', nargs='*', default=[], metavar='TRACK:PID', help='default: the track number'
    )
    return parser.parse_args(argv)


def parse_pids(pairs: Sequence[str]) -> dict[int, int]:
    """Return the person of each track that was named."""
    pids: dict[int, int] = {}
    for pair in pairs:
        match = re.fullmatch(r'([0-9]{1,9}):([0-9]{1,9})', pair)
        if match is None:
            raise ValueError(f"--pids must be pairs of numbers like '3:12', got {pair!r}")
        track, pid = int(match[1]), int(match[2])
        if pid == 0:
            raise ValueError(f'--pids {pair}: persons count from 1; 0 stands for distractors')
        if track in pids:
            raise ValueError(f'--pids names track {track} twice')
        pids[track] = pid
    return pids


def place_boxes(
    boxes: Sequence[TrackedBox], args: argparse.Namespace
) -> dict[int, list[tuple[TrackedBox, str]]]:
    """Return the boxes of each frame with the files that they become, relative to --out."""
    pids = parse_pids(args.pids)
    tracks = defaultdict(list)
    for box in boxes:
        tracks[box.track].append(box)
    unknown = sorted((set(args.train_tracks) | set(pids)) - set(tracks))
    if unknown:
        raise ValueError(f'there are no boxes of the tracks {unknown}; there are {sorted(tracks)}')
    if 0 in tracks and 0 not in pids:
        raise ValueError(
            'there is a track 0, but person 0 stands for distractors; name its person, for '
            f'example --pids 0:{max(tracks) + 1}'
        )
    placed = defaultdict(list)
    camera = f'c{args.camera}_' if args.camera else ''
    for track, items in tracks.items():
        length = args.length or len(items)
        for start in range(0, len(items), length):
            subset = 'train' if track in args.train_tracks else 'gallery' if start else 'query'
            name = f'{camera}{track:04}t{start // length:03}'
            folder = f'{subset}/{pids.get(track, track)}/{name}'
            for box in items[start : start + length]:
                placed[box.frame].append((box, f'{folder}/{box.frame:06}.jpg'))
    return placed


def write_crops(video: str, placed: dict[int, list[tuple[TrackedBox, str]]], folder: Path) -> int:
    """Cut and write all boxes; return how many there were."""
    written = 0
    for number, frame in read_video(video):
        for box, name in placed.pop(number, []):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            crop = cv2.cvtColor(box.cut(frame), cv2.COLOR_RGB2BGR)
            path.write_bytes(cv2.imencode('.jpg', crop, JPEG)[1].tobytes())
            written += 1
        if not placed:
            break
    if placed:
        raise ValueError(f'{video} has no frame {min(placed)}, for which there is a box')
    return written


def main(argv: Sequence[str] | None = None) -> None:
    """Cut and write."""
    args = parse_args(argv)
    try:
        boxes = read_boxes(args.boxes).within(*frame_size(args.video))
        placed = place_boxes(boxes.boxes, args)
        places = {os.path.dirname(name) for items in placed.values() for _, name in items}
        output = OutputFolder(
            args.out, 'cut_tracklets', os.path.realpath(args.video), sorted(places)
        )
        with output:
            written = write_crops(args.video, placed, output.staging)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    print(boxes)
    if output.removed:
        print(f'{output.removed} frames of an earlier run on {args.video} removed')
    print(f'{written} frames written to {args.out}')


if __name__ == '__main__':
    main()
