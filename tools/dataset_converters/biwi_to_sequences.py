"""Write the raw skeletons of BIWI RGBD-ID as sequences that csipreid trains on.

The folder is that of the data set: ``Training/NNN/*skel.txt``, ``Testing/Walking/NNN/…`` and
``Testing/Still/NNN/…``, one file for each frame, whose first 20 lines are joints of Kinect v1:
``number,x,y,z,u,v,tracking state,quality``. Frames with a joint of tracking state 0 are left out,
and so are the first and the last ``--clip`` frames of a folder, as TranSG does. Written are
``train.npz``, ``walking.npz`` and ``still.npz``, in camera axes::

    python tools/dataset_converters/biwi_to_sequences.py BIWI --out data/biwi
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from csipreid.arguments import output_folder, whole
from csipreid.datasets.frame_files import natural_sorted
from csipreid.file_content import read_text
from csipreid.skeletons.sequences import write_sequences

PARTS = dict(train='Training', walking='Testing/Walking', still='Testing/Still')
_JOINTS = 20


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('source', type=Path, help='folder of BIWI RGBD-ID')
    parser.add_argument('--out', type=output_folder, required=True, help='folder to write')
    parser.add_argument(
        '--clip', type=whole(0), default=10, help='frames left out at both ends of a folder'
    )
    return parser.parse_args(argv)


def read_skeleton(path: Path) -> np.ndarray | None:
    """Read one frame, float32, (20, 3), camera axes; None if a joint is not tracked.

    Raises:
        ValueError: If the file is broken.
    """
    lines = read_text(path).splitlines()[:_JOINTS]
    joints = []
    for number, line in enumerate(lines, start=1):
        try:
            values = [float(field) for field in line.split(',')]
            _, x, y, z, _, _, state = values[:7]
        except ValueError as error:
            raise ValueError(
                f'{path}, line {number} must hold 8 numbers (joint, x, y, z, u, v, state, '
                f'quality), got {line[:60]!r}'
            ) from error
        if state == 0:
            return None
        joints.append((-x, -y, z))  # Kinect: x left, y up
    if len(joints) < _JOINTS:
        raise ValueError(f'{path} must hold {_JOINTS} joints, one a line, got {len(joints)}')
    return np.array(joints, np.float32)


def read_part(folder: Path, clip: int) -> tuple[list[np.ndarray], list[int]]:
    """Read the people of one part; return their sequences and numbers.

    Raises:
        FileNotFoundError: If the folder holds no people.
        ValueError: If a file is broken.
    """
    sequences, pids = [], []
    for person in sorted(folder.glob('[0-9]*')):
        names = natural_sorted([path.name for path in person.glob('*skel.txt')])
        read = [read_skeleton(person / name) for name in names]
        frames = [frame for frame in read if frame is not None]
        frames = frames[clip : len(frames) - clip]
        if frames and person.name.isdecimal():
            sequences.append(np.stack(frames))
            pids.append(int(person.name))
    if not pids:
        raise FileNotFoundError(
            f'{folder} holds no folders of people with more than {2 * clip} skel.txt files'
        )
    return sequences, pids


def main(argv: Sequence[str] | None = None) -> None:
    """Write the three parts."""
    args = parse_args(argv)
    try:
        for name, part in PARTS.items():
            sequences, pids = read_part(args.source / part, args.clip)
            path = args.out / f'{name}.npz'
            write_sequences(path, sequences, pids, 'kinect20')
            print(f'{path}: {sum(map(len, sequences))} frames of {len(pids)} people')
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error


if __name__ == '__main__':
    main()
