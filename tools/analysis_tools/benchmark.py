"""Measure training, testing, data loading and evaluation beside the published way.

Everything is measured twice in the same run, with our measures and without, in turn, so that a
gain is a ratio that does not depend on the machine. --size paper takes ViT-B/16 on frames of
256 x 128 pixels, eight a clip, and 625 identities, with batches cut to what two cores do in
minutes; --size tiny the models of the walkers, in a minute or two.

"Ours" is what the configs ask for, in float32. "Without" is, by item:

  stage1.epoch                features computed, not stored
  stage1.epoch_published      the same, with the published image tower
  stage1.cache_build          one pass over the same frames, nothing stored
  stage1.120_epochs           120 epochs without stored features; calculated from parts
  stage2.step                 the published way
  stage2.named_measures       without fused attention, the shared self-attention of the prototype
                              updater and label smoothing on the device
  stage2.<measure>            without this measure alone
  stage2.fused_optimiser      the kernel that torch takes by itself, on a CPU a plain loop
  stage2.activation_checkpointing   our step; here "ours" computes activations twice
  stage2.amp                  the published way; both under --amp (on a GPU)
  stage2.amp_float32          our step in float32; "ours" is under --amp (on a GPU)
  test.forward                the published way
  data.loading                PIL and JSON files, frame by frame, normalised in the workers; our
                              batches are normalised on the device, which is not timed
  data.normalised             the same; ours are normalised on the CPU, which is timed
  eval.<part>                 plain NumPy

A peak (peak_mb) is what a step needs beyond what is held before it, and so grows with the batch:
weights and optimiser state are not in it. peak_total_mb is all that is held, the whole resident
size of the process on a CPU and all that torch has allocated on a GPU. In eval.<part> features and
libraries are what is held before. A peak that was not measured, or that the system does not tell,
is shown as - and is null in the JSON file.
"""

import argparse
import os
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import benchmark_evaluation
import torch
from benchmark_data import make_data_set, measure_loading, measure_waiting
from benchmark_models import SIZES
from benchmark_stage1 import measure_stage1
from benchmark_stages import measure_stage2, measure_test
from mmengine.device import get_device

from csipreid.arguments import device, output_file
from csipreid.evaluation.json_file import write_json

STAGES = ('1', '2', 'test', 'data', 'eval')
_SHOWN = ('ours', 'without', 'ratio', 'peak_mb')


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--stage', choices=(*STAGES, 'all'), default='all')
    parser.add_argument(
        '--device', type=device, help='where models run; default: the first accelerator, or the CPU'
    )
    parser.add_argument('--size', choices=SIZES, default='tiny')
    parser.add_argument(
        '--json', type=output_file, metavar='FILE', help='write the results to this file'
    )
    if not (sys.argv[1:] if argv is None else argv):
        parser.error('say what to time, such as --stage all')
    return parser.parse_args(argv)


def measure_data(size: str, device: str) -> dict[str, dict]:
    """Compare loading of clips, and time how long training waits for it."""
    workers = min(8, os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder:
        make_data_set(Path(folder), size, SIZES[size].data_clips)
        loading = measure_loading(Path(folder), size, workers)
        loading['data.loading'] |= measure_waiting(Path(folder), size, workers, device)
    return loading


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
            peak_total_mb=ours['peak_mib'] * 1.048576,
            peak_total_mb_without=plain['peak_mib'] * 1.048576,
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
    more = ', '.join(f'{key} {_text(item[key])}' for key in item if key not in _SHOWN)
    print(
        f'{name:34s}{item["ours"]:10.4f}{item["without"]:10.4f}{item["ratio"]:8.3f}'
        f'{_text(item["peak_mb"]):>9s}  {more}',
        flush=True,
    )


def _text(value: Any) -> str:
    """Write a value of the table, a number with at least three digits."""
    if value is None:
        return '-'
    if not isinstance(value, float):
        return str(value)
    return f'{value:.0f}' if abs(value) >= 100 else f'{value:.3g}'


def main() -> None:
    """Measure and print."""
    args = parse_args()
    warnings.filterwarnings('ignore')
    device = args.device or get_device()
    chosen = SIZES[args.size]
    print(
        f'device {device}, {torch.get_num_threads()} threads, torch {torch.__version__}, size '
        f'{args.size}; clips a batch: stage 1 {chosen.stage1_clips}, stage 2 '
        f'{chosen.stage2_clips}, test {chosen.test_clips}\n'
        'peak MB: beyond what is held before the step (weights, optimiser state, libraries); '
        'peak_total_mb: all that is held'
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
