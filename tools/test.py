"""Test a model on a data set: RGB frames in, retrieval measures out."""

import argparse
import json
import os
import sys
import warnings
from pathlib import Path

# mmcv tells at import that its compiled operators are absent; nothing here uses them.
warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')

from mmengine.config import Config  # noqa: E402
from mmengine.dist import is_main_process  # noqa: E402
from torch import distributed  # noqa: E402

from csipreid.engine.cli import add_common_arguments, load_config  # noqa: E402
from csipreid.registry import RUNNERS  # noqa: E402


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        'checkpoint', nargs='?', help='checkpoint to test; not needed by a model without weights'
    )
    add_common_arguments(parser)
    parser.add_argument('--out', metavar='FILE', help='write the result to this file')
    parser.add_argument(
        '--out-item',
        choices=['metrics', 'pred'],
        default='metrics',
        help='what --out writes: the measures as JSON, or the features as --dump does',
    )
    parser.add_argument(
        '--dump', metavar='FILE.npz', help='write the features of all tracklets to this file'
    )
    parser.add_argument(
        '--tta', action='store_true', help='average each clip with its mirror image'
    )
    return parser.parse_args()


def merge_args(cfg: Config, args: argparse.Namespace) -> None:
    """Apply the arguments of testing to the config, in place."""
    # Testing needs no training data, so their absence is no error.
    for name in ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler'):
        cfg[name] = None
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.load_from = args.checkpoint
    if args.amp:
        cfg.test_cfg.fp16 = True
    if args.tta:
        cfg.model.flip_test = True
    dump = args.out if args.out and args.out_item == 'pred' else args.dump
    if dump:
        evaluators = cfg.test_evaluator
        evaluators = evaluators if isinstance(evaluators, list) else [evaluators]
        cfg.test_evaluator = [*evaluators, dict(type='DumpFeatures', out_file=dump)]


def write_metrics(metrics: dict[str, float], path: Path) -> None:
    """Write the measures as JSON, under a temporary name first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'{path.name}.partial')
    partial.write_text(json.dumps(metrics, indent=2) + '\n', encoding='utf-8')
    os.replace(partial, path)


def main() -> None:
    """Build the runner, which checks everything, and test."""
    args = parse_args()
    try:
        cfg = load_config(args)
        merge_args(cfg, args)
        runner = RUNNERS.build(cfg)
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f'error: {error}')
    try:
        metrics = runner.test()
        if args.out and args.out_item == 'metrics' and is_main_process():
            write_metrics(metrics, Path(args.out))
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


if __name__ == '__main__':
    main()
