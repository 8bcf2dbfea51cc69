"""Train a model from a config file."""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, ConfigDict
from torch import distributed

from csipreid.arguments import whole
from csipreid.engine.cli import add_common_arguments, load_config
from csipreid.engine.compilation import compile_options
from csipreid.engine.failures import explain_building, fail, report
from csipreid.engine.hooks.preemption_hook import Preempted
from csipreid.registry import RUNNERS


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    add_common_arguments(parser)
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='continue the run in the work directory, or the given checkpoint',
    )
    parser.add_argument(
        '--pretrained',
        '--stage1-checkpoint',
        dest='pretrained',
        metavar='CKPT',
        help='trained parts to start from: for stage 2 the checkpoint of stage 1, for stage 1 '
        'the image tower',
    )
    parser.add_argument('--no-validate', action='store_true', help='do not evaluate meanwhile')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help="scale the learning rate by the total batch size over the config's base_batch_size",
    )
    parser.add_argument('--seed', type=whole(0, 2**32 - 1), help='seed of all random numbers')
    parser.add_argument(
        '--diff-rank-seed', action='store_true', help='give each rank a seed of its own'
    )
    parser.add_argument(
        '--deterministic', action='store_true', help='use deterministic algorithms only'
    )
    return parser.parse_args(arguments)


def merge_args(cfg: Config, args: argparse.Namespace) -> None:
    """Apply the arguments of training to the config, in place."""
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if cfg.get('train_dataloader') is None or cfg.get('train_cfg') is None:
        raise ValueError(f'config {args.config} has no train_dataloader and train_cfg')
    if args.amp is not None:
        kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
        if kind not in ('OptimWrapper', 'MixedPrecisionOptimWrapper'):
            raise ValueError(f'--amp replaces an OptimWrapper; the config has a {kind}')
        cfg.optim_wrapper.update(type='MixedPrecisionOptimWrapper', precision=args.amp)
    compile_options(cfg.get('compile'))  # refuses now what could not be compiled later
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    if args.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise ValueError('--auto-scale-lr needs auto_scale_lr.base_batch_size in the config')
        cfg.auto_scale_lr.enable = True
    if args.pretrained is not None:
        if cfg.get('default_hooks', {}).get('pretrained') is None:
            raise ValueError(f'{args.config} trains from scratch; --pretrained has no place in it')
        cfg.default_hooks.pretrained.checkpoint = args.pretrained
    randomness = cfg.get('randomness') or ConfigDict(seed=None)
    if args.seed is not None:
        randomness.seed = args.seed
    if args.diff_rank_seed:
        randomness.diff_rank_seed = True
    if args.deterministic:
        randomness.deterministic = True
    cfg.randomness = randomness


def main() -> None:
    """Build the runner, which checks everything, and train."""
    args = parse_args()
    try:
        cfg = load_config(args)
        merge_args(cfg, args)
        runner = RUNNERS.build(cfg)
    except distributed.DistError as error:
        fail(
            f'error: the processes could not meet: {str(error).splitlines()[0]}; '
            'set PORT to one that is free'
        )
    except Exception as error:
        fail(explain_building(error))
    try:
        runner.train()
    except KeyboardInterrupt:
        sys.exit(130)
    except Preempted as end:
        # The scripts that start several processes read it; torchrun tells nobody.
        if 'CSIPREID_STATUS_FILE' in os.environ:
            Path(os.environ['CSIPREID_STATUS_FILE']).write_text(str(end.code), encoding='utf-8')
        raise
    except Exception as error:
        explanation = report(error, runner.work_dir, runner.log_dir)
        fail(traceback.format_exc() if explanation is None else f'error: {explanation}')
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


if __name__ == '__main__':
    main()
