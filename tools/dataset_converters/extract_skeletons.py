r"""Extract 3D skeletons from the frames of a data set, or from a video with boxes.

From the crops of the data set of a config; skeletons go where training looks for them::

    python tools/dataset_converters/extract_skeletons.py --config configs/csip/stage1_mars.py \
        --estimator blazepose --model pose_landmark_full.tflite --workers 8

From a video with tracked boxes (MOT text), to ``OUT/TRACK/FRAME.json``::

    python tools/dataset_converters/extract_skeletons.py --video video.mp4 --boxes boxes.txt \
        --out skeletons --estimator blazepose --model pose_landmark_full.tflite

Each frame gets a JSON file with 17 joints of Human3.6M in metres and a confidence; where no body
was found the list of joints is empty. When all frames are done the files are packed. Killed and
started again, or run in shards on several machines, the command gives the same files: each says
what it was made from, and is made again if its frame, box or estimator is another now. Skeletons
that come from elsewhere are refused.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from csipreid.arguments import device, output_folder, real, whole
from csipreid.datasets.mot_boxes import read_boxes
from csipreid.datasets.video_files import frame_size
from csipreid.pose_estimation.extraction import Job, extract, make_batches
from csipreid.pose_estimation.origins import check_video_folder, remove_left_over
from csipreid.registry import DATASETS
from csipreid.skeletons.packing import pack_folder

ESTIMATORS = dict(
    blazepose='BlazePoseEstimator',
    hmr2='HMR2Estimator',
    mmpose='MMPoseEstimator',
    function='FunctionEstimator',
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--config', help='config whose data set is taken')
    parser.add_argument('--data-root', help='folder of the data set; replaces that of the config')
    parser.add_argument('--subsets', nargs='+', default=['train', 'query', 'gallery'])
    parser.add_argument('--video', help='video, instead of a config')
    parser.add_argument('--boxes', help='MOT text file with the boxes in the video')
    parser.add_argument('--out', type=output_folder, help='folder for the skeletons of a video')
    parser.add_argument('--estimator', choices=sorted(ESTIMATORS), default='blazepose')
    parser.add_argument('--model', help='model file of BlazePose, or model of MMPose')
    parser.add_argument('--checkpoint', help='weights of HMR 2.0')
    parser.add_argument('--device', type=device, help='where HMR 2.0 or MMPose computes')
    parser.add_argument('--function', help="'module:name' or 'file.py:name'")
    parser.add_argument('--layout', help='layout of what the function returns')
    parser.add_argument(
        '--min-presence',
        type=real(above=0, highest=1),
        help='probability from which BlazePose has found a body',
    )
    parser.add_argument('--batch-size', type=whole(1), default=32)
    parser.add_argument('--workers', type=whole(1), default=1, help='number of processes')
    parser.add_argument(
        '--shard', default='0/1', metavar='I/N', help='do every N-th batch only, from the I-th'
    )
    parser.add_argument('--no-pack', action='store_true', help='do not pack the files in the end')
    args = parser.parse_args(argv)
    if (args.config is None) == (args.video is None):
        parser.error('give either --config or --video')
    if args.video is not None and (args.boxes is None or args.out is None):
        parser.error('--video needs --boxes and --out')
    return args


def estimator_config(args: argparse.Namespace) -> dict[str, Any]:
    """Return the config of the estimator, with the arguments that were given."""
    taken = dict(
        blazepose=('model', 'min_presence'),
        hmr2=('checkpoint', 'device'),
        mmpose=('model', 'device'),
        function=('function', 'layout'),
    )
    names = ('model', 'checkpoint', 'device', 'function', 'layout', 'min_presence')
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    strange = sorted(set(given) - set(taken[args.estimator]))
    if strange:
        raise ValueError(f'estimator {args.estimator} takes no {strange}')
    needed = dict(blazepose='model', function='function').get(args.estimator)
    if needed is not None and needed not in given:
        raise ValueError(f'estimator {args.estimator} needs --{needed}')
    return dict(type=ESTIMATORS[args.estimator], **given)


def dataset_jobs(args: argparse.Namespace) -> tuple[list[Job], list[str]]:
    """Return a job per frame of a data set, and the folders that can be packed."""
    if not Path(args.config).is_file():
        raise FileNotFoundError(f'config {args.config} not found; see the folder configs/')
    settings = Config.fromfile(args.config).train_dataloader.dataset.to_dict()
    settings.update(pipeline=[], check_files=False)
    if args.data_root is not None:
        settings['data_root'] = args.data_root
    jobs: list[Job] = []
    folders = set()
    for subset in args.subsets:
        with DefaultScope.overwrite_default_scope('csipreid'):
            dataset = DATASETS.build({**settings, 'subset': subset})
        for index in range(len(dataset)):
            item = dataset.get_data_info(index)
            jobs += map(Job, item['frame_paths'], item['skeleton_paths'])
            parts = Path(os.path.relpath(item['skeleton_paths'][0], dataset.data_root)).parts
            folders.add(os.path.join(dataset.data_root, *parts[:2]))
    return jobs, sorted(folders)


def video_jobs(args: argparse.Namespace) -> tuple[list[Job], list[str]]:
    """Return a job per box of a video, and the folder that can be packed."""
    boxes = read_boxes(args.boxes).within(*frame_size(args.video))
    check_video_folder(str(args.out), args.video)
    print(boxes)
    jobs = [
        Job(args.video, os.path.join(args.out, f'{box.track:04}', f'{box.frame:06}.json'), box)
        for box in boxes.boxes
    ]
    return jobs, [str(args.out)]


def parse_shard(text: str) -> tuple[int, int]:
    """Return i and n of 'i/n'."""
    index, _, count = text.partition('/')
    if not (index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise ValueError(f"--shard must be I/N with 0 <= I < N, like '0/4', got {text!r}")
    return int(index), int(count)


def main(argv: Sequence[str] | None = None) -> None:
    """Extract, pack and report."""
    args = parse_args(argv)
    try:
        shard = parse_shard(args.shard)
        config = estimator_config(args)
        jobs, folders = dataset_jobs(args) if args.config else video_jobs(args)
        batches = make_batches(jobs, args.batch_size, shard)
        total = sum(map(len, batches))
        columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, disable=not sys.stdout.isatty()) as bar:
            task = bar.add_task('Extracting', total=total)
            workers = args.workers if args.workers > 1 else 0
            outcome = extract(batches, config, workers, lambda done: bar.advance(task, done))
        print(
            f'{outcome.written} skeletons written, {outcome.found} of them found; '
            f'{total - outcome.written - len(outcome.unreadable)} were there before'
        )
        if outcome.replaced:
            print(f'{outcome.replaced} of them in place of those from other frames or settings')
        targets = {job.target for job in jobs}
        removed = sum(remove_left_over(f, targets, args.video is not None) for f in folders)
        if removed:
            print(f'{removed} skeletons removed whose frames or boxes are gone')
        for message in outcome.unreadable[:5]:
            print(f'unreadable: {message}')
        if outcome.unreadable:
            sys.exit(f'error: {len(outcome.unreadable)} frames could not be read, none packed')
        if not args.no_pack:
            pack_finished(jobs, folders)
    except (OSError, ValueError, ImportError, BrokenExecutor) as error:
        sys.exit(f'error: {error}')


def pack_finished(jobs: Sequence[Job], folders: Sequence[str]) -> None:
    """Pack every folder if all files are there."""
    missing = sum(not os.path.isfile(job.target) for job in jobs)
    if missing:
        print(f'not packed: {missing} skeletons are left to other shards')
        return
    for folder in folders:
        print(f'packed: {pack_folder(folder)}')


if __name__ == '__main__':
    main()
