"""Examine a data set before training on it.

Says what is present, missing, unreadable, paired wrongly or counted wrongly, which queries the
evaluation will score, and what the skeletons are like; ends with code 1 when training or
testing would fail::

    python tools/misc/verify_dataset.py configs/csip/stage2_mars.py --data-root data/mars

The JSON of ``--json``:

- ``fit``: whether training and testing would run;
- ``subsets.NAME``: ``tracklets`` (without junk), ``junk``, ``distractors``, ``identities``,
  ``cameras``, ``unknown_cameras``, ``frames``, ``shortest``, ``longest``, ``mean_length``
  (frames); unless ``--lists-only``: ``frames_missing``, ``frames_read`` and, where the pipeline
  loads skeletons, ``skeletons`` with ``frames``, ``missing``, ``broken``, ``not_found``,
  ``found``, ``coverage`` (0 to 1), ``body_size`` (m), ``bone_variation`` (standard deviation over
  mean, median tracklet), ``jitter`` (m, median tracklet);
- ``matching``: ``protocol``, ``query_in_gallery``, ``same_camera``, ``queries``,
  ``valid_queries`` (scored under the protocol), ``valid_queries_by_gallery_alone``,
  ``queries_absent_from_gallery``, ``identities_absent_from_gallery``,
  ``queries_with_same_camera_only``;
- ``findings``: each with ``severity`` ('error', 'warning' or 'note'), ``kind``, ``subset``,
  ``message``, ``count`` and up to five ``examples``.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import MMLogger
from rich.progress import Progress

from csipreid.arguments import output_file, whole
from csipreid.diagnosis import Report, examine
from csipreid.engine.config import set_data_root


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('--data-root', help='folder of the data set; replaces that of the config')
    parser.add_argument(
        '--lists-only', action='store_true', help='look at the lists alone, at no image'
    )
    parser.add_argument(
        '--json', type=output_file, metavar='FILE', help='write the report to this file'
    )
    parser.add_argument('--workers', type=whole(1), default=1, help='processes that read images')
    return parser.parse_args(argv)


def examine_quietly(cfg: Config, args: argparse.Namespace) -> Report:
    """Examine under a progress bar, without the warnings that are among the findings."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('ERROR')
    try:
        with Progress(transient=True, disable=not sys.stdout.isatty()) as bar:

            def watch(what: str, total: int) -> Callable[[int], None]:
                task = bar.add_task(what, total=total)
                return lambda done: bar.advance(task, done)

            return examine(cfg.to_dict(), args.lists_only, args.workers, watch)
    finally:
        logger.setLevel(level)


def print_report(report: Report) -> None:
    """Print counts, then findings, the worst first."""
    columns = ['tracklets', 'identities', 'cameras', 'frames', 'shortest', 'longest']
    columns += ['junk', 'distractors']
    print(f'{"":9}' + ''.join(f'{name:>12}' for name in columns))
    for subset, counts in report.subsets.items():
        print(f'{subset:9}' + ''.join(f'{counts[name]:>12}' for name in columns))
    for subset, counts in report.subsets.items():
        if 'skeletons' in counts:
            values = ', '.join(f'{k} {v}' for k, v in counts['skeletons'].items())
            print(f'skeletons of {subset}: {values}')
    if report.matching:
        print('matching: ' + ', '.join(f'{k} {v}' for k, v in report.matching.items()))
    for severity in ('error', 'warning', 'note'):
        for finding in report.findings:
            if finding.severity == severity:
                print(finding)
    print('fit for training and testing' if report.fit else 'NOT fit: training would fail')


def main(argv: Sequence[str] | None = None) -> None:
    """Examine, print and write."""
    args = parse_args(argv)
    if not Path(args.config).is_file():
        sys.exit(f'error: config {args.config} not found; see the folder configs/')
    try:
        cfg = Config.fromfile(args.config)
        if args.data_root is not None:
            set_data_root(cfg, args.data_root)
        report = examine_quietly(cfg, args)
    except (KeyError, AttributeError, TypeError, SyntaxError, ValueError) as error:
        sys.exit(
            f'error: {args.config} is no config of a data set: {type(error).__name__}: {error}'
        )
    print_report(report)
    if args.json:
        partial = args.json.with_name(f'{args.json.name}.partial')
        args.json.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(report.to_dict(), indent=2) + '\n', encoding='utf-8')
        os.replace(partial, args.json)
    sys.exit(0 if report.fit else 1)


if __name__ == '__main__':
    main()
