"""Make the walkers: a small data set of rendered people, in the layout of MARS.

Example::

    python tools/dataset_converters/make_walkers.py --out data/walkers
"""

import argparse
import os
from collections.abc import Sequence

from csipreid.arguments import output_folder, whole
from csipreid.synthetic import write_walkers


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Make the walkers data set.')
    parser.add_argument('--out', type=output_folder, required=True, help='folder to write')
    parser.add_argument(
        '--seed', type=whole(0), default=0, help='seed; equal seeds give equal bytes'
    )
    parser.add_argument(
        '--ids',
        type=whole(1),
        nargs='+',
        default=[24],
        metavar='N',
        help='number of identities: one number for each of training and test, or two numbers',
    )
    parser.add_argument('--cams', type=whole(2, 9), default=4, help='number of cameras, 2 to 9')
    parser.add_argument(
        '--tracklets',
        type=whole(1),
        nargs=2,
        default=(2, 3),
        metavar=('MIN', 'MAX'),
        help='tracklets per identity and camera',
    )
    parser.add_argument(
        '--frames',
        type=whole(1),
        nargs=2,
        default=(16, 40),
        metavar=('MIN', 'MAX'),
        help='frames per tracklet',
    )
    parser.add_argument(
        '--workers', type=whole(1), default=os.cpu_count() or 1, help='number of processes'
    )
    parser.add_argument(
        '--overwrite', action='store_true', help='replace walkers made with other arguments'
    )
    args = parser.parse_args(argv)
    if len(args.ids) > 2:
        parser.error(f'--ids takes one or two numbers, got {len(args.ids)}')
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Make the data set and say where it is."""
    args = parse_args(argv)
    try:
        folder = write_walkers(
            args.out,
            seed=args.seed,
            num_train_ids=args.ids[0],
            num_test_ids=args.ids[-1],
            num_cams=args.cams,
            tracklets=(args.tracklets[0], args.tracklets[1]),
            frames=(args.frames[0], args.frames[1]),
            num_workers=args.workers,
            overwrite=args.overwrite,
        )
    except (ValueError, OSError) as error:
        raise SystemExit(f'make_walkers: {error}') from error
    print(f'walkers: {folder}')


if __name__ == '__main__':
    main()
