"""Test a model on a data set: RGB frames in, retrieval measures out."""

import argparse
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import mmcv
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.runner import Runner
from torch import distributed

from csipreid.apis.ranking_sheets import ranking_sheets
from csipreid.arguments import why_not_writable
from csipreid.engine.cli import add_common_arguments, load_config
from csipreid.engine.failures import explain_building, fail
from csipreid.engine.test_mode import (
    configs_of_type,
    parse_test_mode,
    set_test_mode,
)
from csipreid.evaluation.arguments import rerank_argument
from csipreid.evaluation.feature_file import read_features
from csipreid.evaluation.json_file import write_json
from csipreid.evaluation.protocol import get_protocol, list_protocols
from csipreid.evaluation.re_ranking import check_options
from csipreid.output_folder import OutputFolder
from csipreid.registry import RUNNERS


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        'checkpoint', nargs='?', help='checkpoint to test; not needed by a model without weights'
    )
    add_common_arguments(parser)
    parser.add_argument(
        '--test-mode',
        metavar='MODE',
        help='clips that stand for a tracklet: first (one frame of each segment), even (spread '
        'evenly), random:N (N random clips), dense (all frames); followed by ,flip each clip is '
        'averaged with its mirror image',
    )
    parser.add_argument('--tta', action='store_true', help='the same as ,flip after the test mode')
    parser.add_argument(
        '--protocol', choices=list_protocols(), help='rules of the evaluation; see the README'
    )
    parser.add_argument(
        '--metric',
        choices=['cosine', 'euclidean'],
        help='how embeddings are compared, in place of what the protocol says',
    )
    parser.add_argument(
        '--rerank', type=rerank_argument, metavar='K1,K2,LAMBDA', help='k-reciprocal re-ranking'
    )
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
        '--show-dir', metavar='DIR', help='write a picture of what was found for each query'
    )
    parser.add_argument('--show', action='store_true', help='show these pictures in a window')
    parser.add_argument(
        '--interval', type=int, default=1, metavar='N', help='only of every N-th query'
    )
    parser.add_argument(
        '--wait-time',
        type=float,
        default=2.0,
        metavar='SECONDS',
        help='how long --show shows each; 0 waits for the space key',
    )
    return parser.parse_args(arguments)


def check_args(args: argparse.Namespace) -> None:
    """Refuse values that would fail only after the test.

    Raises:
        ValueError: If a value cannot be.
    """
    if args.interval < 1:
        raise ValueError(f'--interval must be at least 1, got {args.interval}')
    if not 0 <= args.wait_time < math.inf:
        raise ValueError(f'--wait-time must not be negative, got {args.wait_time}')
    for name, path in (('--out', args.out), ('--dump', args.dump), ('--show-dir', args.show_dir)):
        reason = why_not_writable(path, file=name != '--show-dir') if path is not None else None
        if reason:
            raise ValueError(f'{name} {path} {reason}')
    if args.show_dir is not None:
        OutputFolder(args.show_dir, 'test')  # refuses what is not of an earlier test
    has_screen = sys.platform != 'linux' or {'DISPLAY', 'WAYLAND_DISPLAY'} & set(os.environ)
    if args.show and not has_screen:
        raise ValueError('--show needs a screen, and there is none; use --show-dir')
    for file in feature_files(args):
        if Path(file).suffix != '.npz':
            raise ValueError(f'features are written to a .npz file, got {file}')


def feature_files(args: argparse.Namespace) -> list[str]:
    """Return the files that the user wants the features in."""
    pred = args.out if args.out and args.out_item == 'pred' else None
    return [file for file in (args.dump, pred) if file]


def merge_args(cfg: Config, args: argparse.Namespace) -> None:
    """Apply the arguments of testing to the config, in place.

    Raises:
        ValueError: If the config does not test or an argument does not fit it.
    """
    if cfg.get('test_dataloader') is None or cfg.get('test_evaluator') is None:
        raise ValueError(f'config {args.config} has no test_dataloader and test_evaluator')
    # Testing needs no training data, so their absence is no error.
    for name in ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler'):
        cfg[name] = None
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    if args.checkpoint is not None:
        cfg.load_from = args.checkpoint
    if args.amp is not None:
        loop = dict(cfg.get('test_cfg') or {})
        kind = loop.get('type', 'TestLoop')
        if kind not in ('TestLoop', 'MixedPrecisionTestLoop'):
            raise ValueError(f'--amp replaces a TestLoop; the config has a {kind}')
        loop.pop('fp16', None)  # of TestLoop, in whose place the precision comes
        cfg.test_cfg = dict(loop, type='MixedPrecisionTestLoop', precision=args.amp)
    choice = parse_test_mode(args.test_mode) if args.test_mode is not None else None
    batch_size = cfg.test_dataloader.get('batch_size', 1)
    test_mode = set_test_mode(cfg, choice, flip=args.tta)
    if 'test_dataloader.batch_size' in (args.cfg_options or {}):
        cfg.test_dataloader.batch_size = batch_size

    metrics = list(configs_of_type(cfg.test_evaluator, 'ReIDMetric'))
    wanted = [name for name in ('protocol', 'metric', 'rerank') if getattr(args, name) is not None]
    pictures = [name for name in ('show_dir', 'show') if getattr(args, name)]
    if (wanted or pictures) and not metrics:
        option = (wanted + pictures)[0].replace('_', '-')
        raise ValueError(f'--{option} needs a ReIDMetric in test_evaluator, which the config lacks')
    for metric in metrics:
        if args.protocol is not None:
            metric.protocol = args.protocol
        if args.metric is not None:
            rules = metric.get('protocol', 'tfclip')
            rules = dict(rules) if isinstance(rules, dict) else dict(base=rules)
            metric.protocol = dict(rules, metric=args.metric)
        if args.rerank is not None:
            metric.rerank = list(args.rerank)  # a Config cannot hold named tuples

    meta = dict(config=args.config, checkpoint=args.checkpoint, test_mode=test_mode)
    evaluators = cfg.test_evaluator
    cfg.test_evaluator = [
        *(evaluators if isinstance(evaluators, list) else [evaluators]),
        *(dict(type='DumpFeatures', out_file=file, meta=meta) for file in feature_files(args)),
    ]


def keep_features(cfg: Config, args: argparse.Namespace, folder: str) -> Path | None:
    """Let the test write its features where the pictures find them; None without pictures."""
    if not (args.show_dir or args.show):
        return None
    file = Path(folder, 'features.npz')
    cfg.test_evaluator.append(dict(type='DumpFeatures', out_file=str(file)))
    return file


def show_rankings(runner: Runner, cfg: Config, args: argparse.Namespace, file: Path) -> None:
    """Write or show a picture of what was found for each query."""
    metric: Any = next(configs_of_type(cfg.test_evaluator, 'ReIDMetric'))
    rerank = metric.get('rerank')
    sheets = ranking_sheets(
        read_features(file),
        get_protocol(metric.get('protocol', 'tfclip')),
        interval=args.interval,
        rerank=check_options(rerank) if rerank else None,
    )
    output = OutputFolder(args.show_dir, 'test') if args.show_dir else None
    count = 0
    with output or nullcontext():
        for sheet in sheets:
            count += 1
            if output is not None:
                path = output.staging / f'{sheet.name}.png'
                mmcv.imwrite(sheet.image[..., ::-1], str(path))  # mmcv writes BGR
            if args.show:
                runner.visualizer.show(sheet.image, sheet.name, wait_time=args.wait_time)
    if output is not None:
        earlier = f'; {output.removed} of an earlier test removed' if output.removed else ''
        runner.logger.info(f'Wrote the rankings of {count} queries to {args.show_dir}{earlier}')


def test(runner: Runner, cfg: Config, args: argparse.Namespace, features: Path | None) -> None:
    """Test, and write what was asked for."""
    try:
        metrics = runner.test()
        if not is_main_process():
            return
        if args.out and args.out_item == 'metrics':
            write_json(args.out, metrics)
        if features is not None:
            show_rankings(runner, cfg, args, features)
    except (OSError, ValueError) as error:  # of the data or the evaluation
        fail(f'error: {error}')
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the runner, which checks everything, and test."""
    args = parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        try:
            check_args(args)
            cfg = load_config(args)
            merge_args(cfg, args)
            features = keep_features(cfg, args, folder)
            runner = RUNNERS.build(cfg)
        except Exception as error:
            fail(explain_building(error))
        test(runner, cfg, args, features)


if __name__ == '__main__':
    main()
