"""Write the skeletons of a video data set, packed or JSON, as sequences without frames.

``train.npz``, ``query.npz`` and ``gallery.npz`` hold the tracklets of the config's data sets::

    python tools/dataset_converters/video_to_sequences.py configs/csip/stage1_mars.py \
        --data-root data/mars --out data/mars_skeletons
"""

import argparse
from collections.abc import Sequence
from typing import Any

from mmengine.registry import DefaultScope

from csipreid.arguments import output_folder
from csipreid.datasets.transforms.skeleton_files import SkeletonReader
from csipreid.engine.config import read_config, set_data_root
from csipreid.registry import DATASETS
from csipreid.skeletons import get_layout
from csipreid.skeletons.sequences import write_sequences


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config', help='config whose data sets are read')
    parser.add_argument('--data-root', help='folder of the data set')
    parser.add_argument('--out', type=output_folder, required=True, help='folder to write')
    parser.add_argument('--layout', default='h36m', help='joint layout of the skeletons')
    return parser.parse_args(argv)


def convert(settings: dict[str, Any], subset: str, layout: str, path: Any) -> str:
    """Write one subset; return what is in it.

    Frames without skeleton are zeros; tracklets without any are left out.

    Raises:
        OSError, ValueError: If the data set or a skeleton cannot be read.
    """
    with DefaultScope.overwrite_default_scope('csipreid'):
        dataset = DATASETS.build(dict(settings, subset=subset, pipeline=[], check_files=False))
    reader = SkeletonReader(get_layout(layout).num_joints, layout)
    sequences, pids, camids, bare = [], [], [], 0
    for index in range(len(dataset)):
        item = dataset.get_data_info(index)
        skeletons, found = reader.read(item['skeleton_paths'])
        if not found.any():
            bare += 1
            continue
        sequences.append(skeletons)
        pids.append(item['pid'])
        camids.append(item['camid'])
    write_sequences(path, sequences, pids, layout, camids)
    return f'{len(sequences)} tracklets of {len(set(pids))} people; {bare} without skeletons'


def main(argv: Sequence[str] | None = None) -> None:
    """Write the three subsets."""
    args = parse_args(argv)
    try:
        cfg = read_config(args.config)
        if args.data_root is not None:
            set_data_root(cfg, args.data_root)
        for subset in ('train', 'query', 'gallery'):
            loader = cfg.train_dataloader if subset == 'train' else cfg.test_dataloader
            path = args.out / f'{subset}.npz'
            print(f'{path}: {convert(dict(loader.dataset), subset, args.layout, path)}')
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error


if __name__ == '__main__':
    main()
