"""Pack a million skeleton files into one file for each part of a data set.

``skeleton_3d/bbox_train`` becomes ``skeleton_3d/bbox_train.skeletons.npz``; training finds
it by itself, and the JSON files are no longer needed::

    python tools/dataset_converters/pack_skeletons.py data/mars/skeleton_3d
"""

import argparse
import os
import sys
from collections.abc import Sequence

from rich.progress import Progress

from csipreid.arguments import whole
from csipreid.skeletons.packing import pack_folder


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('folder', help='folder of skeletons; each folder in it is packed')
    parser.add_argument('--parts', nargs='+', help='pack these folders only')
    parser.add_argument('--layout', default='h36m', help='joint layout of the files')
    parser.add_argument('--workers', type=whole(1), default=1, help='number of processes')
    return parser.parse_args(argv)


def pack(folder: str, layout: str, num_workers: int) -> str:
    """Pack one part under a progress bar."""
    with Progress(transient=True, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task(os.path.basename(folder), total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        return pack_folder(folder, layout, num_workers, report)


def main(argv: Sequence[str] | None = None) -> None:
    """Pack every part and say where it is."""
    args = parse_args(argv)
    if not os.path.isdir(args.folder):
        sys.exit(f'error: folder {args.folder} not found')
    parts = args.parts or sorted(e.name for e in os.scandir(args.folder) if e.is_dir())
    if not parts:
        sys.exit(f'error: {args.folder} holds no folder to pack; name the folder above the parts')
    for part in parts:
        try:
            path = pack(os.path.join(args.folder, part), args.layout, args.workers)
        except (OSError, ValueError) as error:
            sys.exit(f'error: {error}')
        print(f'{path}: {os.path.getsize(path) / 1e6:.1f} MB')


if __name__ == '__main__':
    main()
