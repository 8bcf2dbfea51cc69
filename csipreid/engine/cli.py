"""Arguments that the training and the test command share."""

import argparse
import os
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, DictAction
from mmengine.device import get_device

from csipreid.arguments import output_folder
from csipreid.engine.config import (
    check_top_level_keys,
    merge_options,
    read_config,
    set_data_root,
)
from csipreid.engine.config_check import check_config
from csipreid.engine.mixed_precision import PRECISIONS, check_precision


class SettingsAction(DictAction):
    """MMEngine's action for ``key=value`` pairs, which tells what is none."""

    def __call__(self, parser: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> None:
        """Read the pairs of one option."""
        for pair in args[1]:
            key, equals, _ = pair.partition('=')
            if not equals or not all(key.split('.')) or key != key.strip():
                parser.error(
                    f'{self.option_strings[0]} takes key=value pairs without spaces around the '
                    f"'=', got {pair!r}"
                )
            try:
                super().__call__(parser, args[0], [pair], *args[2:], **kwargs)
            except Exception:  # brackets that do not match break MMEngine in several ways
                parser.error(f'{self.option_strings[0]} cannot read the value of {pair!r}')


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of every command that builds a runner."""
    parser.add_argument(
        '--work-dir', type=output_folder, help='directory for logs, configs and checkpoints'
    )
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
        action=SettingsAction,
        metavar='KEY=VALUE',
        help='settings that replace those of the config, as key=value pairs; nested keys are '
        'written a.b.c=value',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
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
    cfg = read_config(args.config)
    if args.data_root is not None:
        set_data_root(cfg, args.data_root)
    options = args.cfg_options or {}
    merge_options(cfg, options)
    check_top_level_keys(cfg)
    check_config(cfg)
    cfg.launcher = args.launcher or cfg.get('launcher') or 'none'
    cfg.work_dir = str(
        args.work_dir or cfg.get('work_dir') or Path('work_dirs') / Path(args.config).stem
    )
    if args.amp is not None:
        check_precision(args.amp, get_device())
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(name) is not None:
            set_loading(cfg[name], args, f'{name}.persistent_workers' in options)
    return cfg


def set_loading(loader: Any, args: argparse.Namespace, persistent_given: bool) -> None:
    """Fill in how a data loader keeps workers and memory, where nothing else says so.

    Args:
        loader: Its config, changed in place.
        args: Of the command line.
        persistent_given: Whether the command line asks for its workers to stay, or not to.
    """
    has_workers = loader.get('num_workers', 0) > 0
    loader.setdefault('persistent_workers', has_workers)
    # torch refuses persistent workers where there are none; told so by name, a user sees it.
    if args.no_persistent_workers or not (has_workers or persistent_given):
        loader.persistent_workers = False
    loader.setdefault('pin_memory', torch.cuda.is_available())
    if args.no_pin_memory:
        loader.pin_memory = False
