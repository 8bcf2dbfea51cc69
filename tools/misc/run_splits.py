"""Train and test on every split of a data set, and average the measures.

iLIDS-VID is scored by the mean over its ten splits::

    python tools/misc/run_splits.py configs/csip/stage1_ilidsvid.py \
        configs/csip/stage2_ilidsvid.py --pretrained checkpoints/clip-vit-b16_256x128.pth

For each split the configs are trained one after the other, each from the one before, and the
last one is tested. What is finished is not run again, so the command can be repeated after an
interruption. ``mean.json`` in the work directory holds mean and standard deviation.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from csipreid.arguments import output_folder, whole
from csipreid.engine.config import read_config

TOOLS = Path(__file__).resolve().parents[1]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('configs', nargs='+', help='configs to train in this order')
    parser.add_argument('--work-dir', type=output_folder, help='default: work_dirs/NAME_splits')
    parser.add_argument('--splits', type=whole(0), nargs='+', default=list(range(10)))
    parser.add_argument('--pretrained', help='trained parts that the first config starts from')
    parser.add_argument('--data-root', help='folder of the data set')
    parser.add_argument('--cfg-options', nargs='+', default=[], help='as for tools/train.py')
    return parser.parse_args(argv)


def split_options(node: Any, split: int, prefix: str = '') -> Iterator[str]:
    """Yield the options that choose a split in every data set of a config that has splits."""
    if isinstance(node, dict):
        if node.get('type') == 'ILIDSVID':
            yield f'{prefix}split={split}'
        for key, value in node.items():
            yield from split_options(value, split, f'{prefix}{key}.')


def run_split(args: argparse.Namespace, work_dir: Path, split: int) -> Path:
    """Train and test on one split; return the file of its measures."""
    folder = work_dir / f'split{split}'
    metrics = folder / 'metrics.json'
    if metrics.is_file():
        return metrics
    shared = [] if args.data_root is None else ['--data-root', args.data_root]
    pretrained = args.pretrained
    for config in args.configs:
        cfg = read_config(config)
        options = [*args.cfg_options, *split_options(cfg._cfg_dict, split)]
        options = ['--cfg-options', *options] if options else []
        stage = folder / Path(config).stem
        finished = stage / 'finished'
        if not finished.is_file():
            start = [] if pretrained is None else ['--pretrained', pretrained]
            run(
                [
                    'train.py',
                    config,
                    '--work-dir',
                    str(stage),
                    '--resume',
                    *shared,
                    *start,
                    *options,
                ]
            )
            finished.touch()
        pretrained = (stage / 'last_checkpoint').read_text(encoding='utf-8').strip()
    test = ['test.py', args.configs[-1], str(pretrained), '--out', str(metrics)]
    run([*test, '--work-dir', str(folder / 'test'), *shared, *options])
    return metrics


def run(arguments: list[str]) -> None:
    """Run a command of the toolbox; stop where it fails."""
    code = subprocess.call([sys.executable, str(TOOLS / arguments[0]), *arguments[1:]])
    if code:
        sys.exit(f'error: {" ".join(arguments)} ended with code {code}')


def average(files: Sequence[Path]) -> dict[str, dict[str, float]]:
    """Return mean and standard deviation (n - 1) of each measure over the splits.

    Raises:
        ValueError: If a file does not hold the same measures as the first.
    """
    results = [read_measures(path) for path in files]
    for path, result in zip(files, results, strict=True):
        if result.keys() != results[0].keys():
            raise ValueError(f'{path} holds other measures than {files[0]}; remove the older one')
    measures = {}
    for name in results[0]:
        values = np.array([result[name] for result in results], float)
        std = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        measures[name] = dict(mean=float(values.mean()), std=std, num_splits=len(values))
    return measures


def read_measures(path: Path) -> dict[str, float]:
    """Read what a test measured.

    Raises:
        ValueError: If the file holds anything else.
    """
    try:
        measures = json.loads(path.read_text(encoding='utf-8'))
    except (ValueError, RecursionError):
        measures = None
    if not isinstance(measures, dict) or not all(
        isinstance(value, int | float) for value in measures.values()
    ):
        raise ValueError(f'{path} is not the result of a test; remove it to test that split again')
    return measures


def main(argv: Sequence[str] | None = None) -> None:
    """Run all splits and print the averages."""
    args = parse_args(argv)
    work_dir = args.work_dir or Path('work_dirs', f'{Path(args.configs[-1]).stem}_splits')
    for config in args.configs:
        try:
            cfg = read_config(config)
        except (OSError, ValueError) as error:
            sys.exit(f'error: {error}')
        if not list(split_options(cfg._cfg_dict, 0)):
            sys.exit(f'error: no data set of {config} has splits')
    try:
        measures = average([run_split(args, work_dir, split) for split in args.splits])
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    partial = work_dir / 'mean.json.partial'
    partial.write_text(json.dumps(measures, indent=2) + '\n', encoding='utf-8')
    os.replace(partial, work_dir / 'mean.json')
    for name, measure in measures.items():
        print(f'{name:12} {measure["mean"]:6.2f} ± {measure["std"]:.2f}')
    print(f'{len(args.splits)} splits; {work_dir / "mean.json"}')


if __name__ == '__main__':
    main()
