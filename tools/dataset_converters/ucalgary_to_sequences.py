"""Write the UCalgary gait data as skeleton sequences that csipreid trains on.

The source is an ``.npz`` of the GeometricPosition files with the entries ``xyz`` (N, 18, 3),
metres, Kinect's axes, in the order of the layout 'ucalgary18'; ``length``, ``subject`` and
``run`` (S,), of S recordings that follow one another in ``xyz``. Written are ``train.npz`` (runs
1, 3, 5; also the gallery), ``probe_normal.npz`` (run 2), ``probe_right.npz`` (run 4) and
``probe_left.npz`` (run 6), in camera axes.

Recordings that stand there twice are left out: subject 10 is subject 4, run 2 of subject 22 is
its run 1, and run 6 of subject 6 is its run 5. The copies are found by their frames::

    python tools/dataset_converters/ucalgary_to_sequences.py ucalgary.npz --out data/ucalgary
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from csipreid.arguments import output_folder
from csipreid.skeletons.sequences import write_sequences

PARTS = dict(train=(1, 3, 5), probe_normal=(2,), probe_right=(4,), probe_left=(6,))


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('source', help='.npz of the recordings')
    parser.add_argument('--out', type=output_folder, required=True, help='folder to write')
    parser.add_argument(
        '--keep-copies', action='store_true', help='keep recordings that stand there twice'
    )
    return parser.parse_args(argv)


def read_recordings(path: str) -> dict[tuple[int, int], np.ndarray]:
    """Read the recordings by subject and run, float32, (T, 18, 3), camera axes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is another kind of file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path} not found')
    try:
        with np.load(path, allow_pickle=False) as archive:
            xyz, *columns = (archive[key] for key in ('xyz', 'length', 'subject', 'run'))
        length, subject, run = (column.astype(np.int64) for column in columns)
        ends = np.cumsum(length)
        whole = xyz.shape == (ends[-1], 18, 3) and len(subject) == len(run) == len(length)
    except Exception as error:  # foreign files break numpy in a dozen ways
        raise ValueError(
            f'{path} must be an .npz with xyz, length, subject and run ({type(error).__name__})'
        ) from error
    if not whole:
        raise ValueError(
            f'{path}: xyz must be (sum of length, 18, 3), with one subject and run for each '
            f'length, got {xyz.shape}'
        )
    turned = xyz.astype(np.float32) * np.array([-1, -1, 1], np.float32)  # x right, y down
    parts = np.split(turned, ends[:-1])
    return dict(zip(zip(subject.tolist(), run.tolist(), strict=True), parts, strict=True))


def find_copies(recordings: dict[tuple[int, int], np.ndarray]) -> dict[tuple, tuple]:
    """Return the recordings that are another, earlier one, and which."""
    seen: dict[bytes, tuple[int, int]] = {}
    copies = {}
    for key in sorted(recordings):
        first = seen.setdefault(recordings[key].tobytes(), key)
        if first != key:
            copies[key] = first
    return copies


def main(argv: Sequence[str] | None = None) -> None:
    """Write the four files and say what is in them."""
    args = parse_args(argv)
    try:
        recordings = read_recordings(args.source)
        copies = {} if args.keep_copies else find_copies(recordings)
        for (subject, run), first in copies.items():
            print(f'left out: subject {subject} run {run} is subject {first[0]} run {first[1]}')
        for name, runs in PARTS.items():
            keys = [key for key in sorted(recordings) if key[1] in runs and key not in copies]
            path = args.out / f'{name}.npz'
            pids = [subject for subject, _ in keys]
            write_sequences(path, [recordings[key] for key in keys], pids, 'ucalgary18')
            print(f'{path}: {len(keys)} recordings of {len(set(pids))} people')
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error


if __name__ == '__main__':
    main()
