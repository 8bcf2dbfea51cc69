"""Arguments that the training and the test command share."""

import argparse
import os
from pathlib import Path

import torch
from mmengine.config import Config, DictAction
from mmengine.device import get_device

from csipreid.engine.config import check_top_level_keys, set_data_root
from csipreid.engine.mixed_precision import PRECISIONS, check_precision


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of every command that builds a runner."""
    parser.add_argument('--work-dir', help='directory for logs, configs and checkpoints')
    parser.add_argument(
        '--data-root', help='folder of the data set; replaces every data_root of the config'
    )
    parser.add_argument(
        '--amp',
        nargs='?',
        const='auto',
        choices=PRECISIONS,
        help='compute in mixed precision; auto, also without a value, is float16 on a GPU, and on '
        'a CPU bfloat16 where the processor has instructions for it, else float32',
    )
    parser.add_argument(
        '--no-pin-memory', action='store_true', help='do not pin the memory of batches'
    )
    parser.add_argument(
        '--no-persistent-workers', action='store_true', help='start new data workers each epoch'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='settings that replace those of the config, as key=value pairs; nested keys are '
        'written a.b.c=value',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes of a distributed run',
    )
    # torch.distributed.launch writes --local-rank, older launchers --local_rank.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def load_config(args: argparse.Namespace) -> Config:
    """Read the config of the command line and apply the shared arguments.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If the config has a misspelt key or asks for what is not there.
    """
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    if not Path(args.config).is_file():
        raise FileNotFoundError(f'config {args.config} not found; see the folder configs/')
    cfg = Config.fromfile(args.config)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    check_top_level_keys(cfg)
    if args.data_root is not None:
        set_data_root(cfg, args.data_root)
    cfg.launcher = args.launcher
    cfg.work_dir = (
        args.work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(args.config).stem)
    )
    if args.amp is not None:
        check_precision(args.amp, get_device())
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg.get(name)
        if loader is not None:
            # torch refuses persistent workers where there are no workers.
            persistent = loader.get('num_workers', 0) > 0 and not args.no_persistent_workers
            loader.persistent_workers = persistent
            loader.pin_memory = torch.cuda.is_available() and not args.no_pin_memory
    return cfg
