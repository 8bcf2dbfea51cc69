"""Time the loading of skeletons from JSON files and from a packed file.

Makes skeletons of MARS size in a temporary folder, loads clips from both forms with the
transform that training uses, and lets several processes read one packed file::

    python tools/analysis_tools/benchmark_skeletons.py
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from csipreid.arguments import output_file, output_folder, whole
from csipreid.registry import TRANSFORMS
from csipreid.skeletons.files import write_skeleton_file
from csipreid.skeletons.packed import PACK_SUFFIX, PackedSkeletons, write_pack

CLIP_LEN = 8
ROUNDS = 9  # the first warms the cache


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--frames', type=whole(8), default=509914, help='frames in the packed file')
    parser.add_argument(
        '--json-frames', type=whole(8), default=8000, help='frames with a JSON file'
    )
    parser.add_argument('--workers', type=whole(1), default=8, help='processes that read at once')
    parser.add_argument(
        '--folder', type=output_folder, help='where to make the files; default: a temporary folder'
    )
    parser.add_argument(
        '--json', type=output_file, metavar='FILE', help='write the numbers to this file'
    )
    if not (sys.argv[1:] if argv is None else argv):
        parser.error('say how much to time, such as --frames 509914')
    return parser.parse_args(argv)


def make_files(root: Path, num_frames: int, num_json: int) -> list[str]:
    """Write both forms; return the paths of the frames that have a JSON file."""
    rng = np.random.default_rng(0)
    keypoints = rng.normal(size=(num_frames, 17, 3)).astype(np.float32)
    names = [f'{n // 800:04}/{n // 800:04}C1T0001F{n % 800:03}' for n in range(num_frames)]
    write_pack(
        root / f'packed{PACK_SUFFIX}',
        names,
        keypoints,
        np.ones(num_frames, np.float32),
        np.ones(num_frames, bool),
        'h36m',
    )
    for name, joints in zip(names[:num_json], keypoints, strict=False):
        write_skeleton_file(root / 'loose' / f'{name}.json', joints, 1.0)
    return names[:num_json]


def frames_per_second(load: Callable[[dict], dict], paths: list[str]) -> float:
    """Load clips of consecutive frames, each once."""
    starts = range(0, len(paths) - CLIP_LEN + 1, CLIP_LEN)
    clips = [
        dict(skeleton_paths=paths[start : start + CLIP_LEN], frame_inds=np.arange(CLIP_LEN))
        for start in starts
    ]
    begin = time.perf_counter()
    for clip in clips:
        load(clip)
    return len(clips) * CLIP_LEN / (time.perf_counter() - begin)


def read_all(path: str, barrier: object) -> tuple[float, float]:
    """Touch a whole packed file; return the process's share and size of its maps, in MB."""
    pack = PackedSkeletons(path)
    total = float(pack.keypoints.sum(dtype=np.float64)) + len(pack.names.tobytes())
    barrier.wait()  # type: ignore[attr-defined]  # all have read before any measures
    sizes = dict(Pss=0.0, Rss=0.0)
    inside = False
    for line in Path('/proc/self/smaps').read_text(encoding='utf-8').splitlines():
        fields = line.split()
        if '-' in fields[0]:
            inside = line.endswith(path)
        elif inside and fields[0][:-1] in sizes:
            sizes[fields[0][:-1]] += int(fields[1]) / 1000
    barrier.wait()  # type: ignore[attr-defined]  # none leaves before all have measured
    return (sizes['Pss'], sizes['Rss']) if np.isfinite(total) else (np.nan, np.nan)


def measure_sharing(path: str, num_workers: int) -> dict[str, float]:
    """Let processes read the file at once; return the memory of its maps, in MB."""
    context = get_context('spawn')
    with context.Manager() as manager, context.Pool(num_workers) as pool:
        barrier = manager.Barrier(num_workers)
        results = pool.starmap(read_all, [(path, barrier)] * num_workers, chunksize=1)
    return dict(
        shared_mb=sum(share for share, _ in results), mapped_mb=sum(size for _, size in results)
    )


def run(root: Path, args: argparse.Namespace) -> dict[str, float]:
    """Measure everything."""
    names = make_files(root, args.frames, args.json_frames)
    path = str(root / f'packed{PACK_SUFFIX}')
    load = TRANSFORMS.build(dict(type='LoadSkeletons'))
    rates = dict(loose=0.0, packed=0.0)
    for _ in range(ROUNDS):  # in turn, and the best of each: other work on the machine goes by
        for form in rates:
            paths = [os.path.join(root, form, f'{name}.json') for name in names]
            rates[form] = max(rates[form], frames_per_second(load, paths))
    begin = time.perf_counter()
    pack = PackedSkeletons(path)
    pack.find([names[0], names[-1]])
    opening = time.perf_counter() - begin
    return dict(
        json_frames_per_second=rates['loose'],
        packed_frames_per_second=rates['packed'],
        ratio=rates['packed'] / rates['loose'],
        open_seconds=opening,
        file_mb=os.path.getsize(path) / 1e6,
        **measure_sharing(path, args.workers),
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    args = parse_args(argv)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        result = run(Path(folder), args)
    print(f'JSON    {result["json_frames_per_second"]:10.0f} frames/s')
    print(f'packed  {result["packed_frames_per_second"]:10.0f} frames/s, x {result["ratio"]:.1f}')
    print(f'open    {result["open_seconds"] * 1000:10.1f} ms for {args.frames} frames')
    print(
        f'memory  {result["shared_mb"]:10.1f} MB for {args.workers} processes together, of a file '
        f'of {result["file_mb"]:.1f} MB (mapped {result["mapped_mb"]:.1f} MB in all)'
    )
    if args.json:
        Path(args.json).write_text(json.dumps(result, indent=2) + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
