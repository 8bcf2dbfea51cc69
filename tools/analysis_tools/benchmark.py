"""Measure training, testing, data loading and evaluation beside the published way.

Everything is measured twice in the same run, with our measures and without, in turn, so that a
gain is a ratio that does not depend on the machine. --size paper takes ViT-B/16 on frames of
256 x 128 pixels, eight a clip, and 625 identities, with batches cut to what two cores do in
minutes; --size tiny the models of the walkers, in a minute or two.
"""

import argparse
import os
import tempfile
import warnings
from pathlib import Path
from typing import Any

import benchmark_evaluation
import torch
from benchmark_data import make_data_set, measure_loading, measure_waiting
from benchmark_models import SIZES
from benchmark_stages import measure_stage1, measure_stage2, measure_test
from mmengine.device import get_device

from csipreid.evaluation.json_file import write_json

STAGES = ('1', '2', 'test', 'data', 'eval')
_SHOWN = ('ours', 'without', 'ratio', 'peak_mb')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--stage', choices=(*STAGES, 'all'), default='all')
    parser.add_argument(
        '--device', help='where models run; default: the first accelerator, or the CPU'
    )
    parser.add_argument('--size', choices=SIZES, default='tiny')
    parser.add_argument('--json', metavar='FILE', help='write the results to this file')
    return parser.parse_args()


def measure_data(size: str, device: str) -> dict[str, dict]:
    """Compare loading of clips, and time how long training waits for it."""
    workers = min(8, os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder:
        make_data_set(Path(folder), size, SIZES[size].data_clips)
        loading = measure_loading(Path(folder), size, workers)
        waiting = measure_waiting(Path(folder), size, workers, device)
    return {'data.loading': loading | waiting}


def measure_evaluation(size: str) -> dict[str, dict]:
    """Compare scoring and re-ranking with plain NumPy (see ``benchmark_evaluation.py``)."""
    items = {}
    for name, jobs in benchmark_evaluation.JOBS.items():
        plain, ours = (benchmark_evaluation.measure(job, SIZES[size].evaluation) for job in jobs)
        items[f'eval.{name}'] = dict(
            ours=ours['seconds'],
            without=plain['seconds'],
            ratio=ours['seconds'] / plain['seconds'],
            peak_mb=ours['extra_mib'] * 1.048576,
            peak_mb_without=plain['extra_mib'] * 1.048576,
        )
    return items


def measure(stage: str, size: str, device: str) -> dict[str, dict]:
    """Measure one stage."""
    if stage == '1':
        return measure_stage1(size, device)
    if stage == '2':
        return measure_stage2(size, device)
    if stage == 'test':
        return measure_test(size, device)
    return measure_data(size, device) if stage == 'data' else measure_evaluation(size)


def show(name: str, item: dict[str, Any]) -> None:
    """Print one line of the table."""
    peak = '-' if item['peak_mb'] is None else f'{item["peak_mb"]:.0f}'
    more = ', '.join(
        f'{key} {value:.3g}' if isinstance(value, float) else f'{key} {value}'
        for key, value in item.items()
        if key not in _SHOWN
    )
    print(
        f'{name:34s}{item["ours"]:10.4f}{item["without"]:10.4f}{item["ratio"]:8.3f}{peak:>9s}  '
        f'{more}',
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    args = parse_args()
    warnings.filterwarnings('ignore')
    device = args.device or get_device()
    chosen = SIZES[args.size]
    print(
        f'device {device}, {torch.get_num_threads()} threads, torch {torch.__version__}, size '
        f'{args.size}; clips a batch: stage 1 {chosen.stage1_clips}, stage 2 '
        f'{chosen.stage2_clips}, test {chosen.test_clips}'
    )
    print(f'{"item":34s}{"ours s":>10s}{"without":>10s}{"ratio":>8s}{"peak MB":>9s}', flush=True)
    results: dict[str, dict] = {}
    for stage in STAGES if args.stage == 'all' else (args.stage,):
        items = measure(stage, args.size, device)
        for name, item in items.items():
            show(name, item)
        results |= items
        if args.json:
            write_json(args.json, results)  # each time, so that a long run leaves something


if __name__ == '__main__':
    main()
