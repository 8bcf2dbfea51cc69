"""Extraction of skeletons from many crops: in batches, by several processes, resumable."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from csipreid.datasets.mot_boxes import TrackedBox
from csipreid.datasets.transforms.image_files import decode_image
from csipreid.datasets.video_files import VideoReader
from csipreid.pose_estimation.estimated_pose import PoseEstimator
from csipreid.pose_estimation.origins import describe_recipe, is_current, make_origin
from csipreid.registry import TASK_UTILS
from csipreid.skeletons import get_layout, to_h36m
from csipreid.skeletons.files import write_skeleton_file
from csipreid.worker_processes import worker_pool

_ROOT = get_layout('h36m').root
_worker: dict[str, Any] = {}  # what a process keeps from batch to batch


class Job(NamedTuple):
    """One skeleton to extract.

    Attributes:
        source: Image file, or video if there is a box.
        target: JSON file to write.
        box: The person in a frame of the video.
    """

    source: str
    target: str
    box: TrackedBox | None = None


class Outcome(NamedTuple):
    """What became of some jobs.

    Attributes:
        written: Files written.
        found: Those that hold a skeleton.
        unreadable: Why some crops could not be read; nothing is written for them.
        replaced: Those written in place of ones from other frames or another estimator.
    """

    written: int
    found: int
    unreadable: list[str]
    replaced: int = 0


def make_batches(
    jobs: Iterable[Job], batch_size: int, shard: tuple[int, int] = (0, 1)
) -> list[list[Job]]:
    """Cut jobs into batches and pick those of one shard.

    Batches are the same in every run and shard, so that an estimator whose numbers depend on
    what else is in a batch gives the same numbers after an interruption and from shards.

    Args:
        jobs: All jobs; of those with one target the first is taken.
        batch_size: Crops per batch.
        shard: (i, n): every n-th batch, from the i-th (0-based).

    Raises:
        ValueError: If ``batch_size`` or ``shard`` is impossible.
    """
    index, count = shard
    if batch_size < 1 or not 0 <= index < count:
        raise ValueError(
            'batch_size must be positive and shard (i, n) have 0 <= i < n, '
            f'got {batch_size} and {shard}'
        )
    first: dict[str, Job] = {}
    for job in jobs:
        first.setdefault(job.target, job)
    unique = list(first.values())
    batches = [unique[start : start + batch_size] for start in range(0, len(unique), batch_size)]
    return batches[index::count]


def extract(
    batches: Sequence[Sequence[Job]],
    estimator: dict[str, Any],
    num_workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Outcome:
    """Extract the skeletons that do not exist yet, or come from something else.

    Each file says what it was made from; one whose frame, box or estimator is another now is
    made again. Files are written whole or not at all. A batch of which one file lacks is
    computed again, and only what lacks is written.

    Args:
        batches: Jobs, see :func:`make_batches`.
        estimator: Config of an estimator, a :class:`PoseEstimator` of ``TASK_UTILS``.
        num_workers: Processes, each with an estimator of its own; 0 computes in this one.
        progress: Called with the number of jobs that were just finished.

    Returns:
        What was done.

    Raises:
        ImportError, FileNotFoundError, ValueError: If the estimator cannot be built.
        ValueError: If a skeleton is there that no extraction has written.
    """
    recipe = describe_recipe(estimator)
    # All are looked at before any is written: a skeleton of other origin is refused.
    current = [[is_current(*job, recipe) for job in batch] for batch in batches]
    pending = [batch for batch, done in zip(batches, current, strict=True) if not all(done)]
    if progress is not None:
        progress(sum(map(len, batches)) - sum(map(len, pending)))
    total = Outcome(0, 0, [])
    if not pending:
        return total
    for size, outcome in _outcomes(pending, estimator, recipe, num_workers):
        total = Outcome(
            total.written + outcome.written,
            total.found + outcome.found,
            total.unreadable + outcome.unreadable,
            total.replaced + outcome.replaced,
        )
        if progress is not None:
            progress(size)
    return total


def _outcomes(
    batches: list[Sequence[Job]], estimator: dict[str, Any], recipe: str, num_workers: int
) -> Iterator[tuple[int, Outcome]]:
    """Yield the size and the outcome of each batch as it is finished."""
    if num_workers == 0:
        built = TASK_UTILS.build(estimator)
        yield from ((len(batch), _run_batch(batch, built, recipe)) for batch in batches)
        return
    pool = worker_pool(num_workers, _start_worker, (estimator,))
    try:
        futures = {pool.submit(_run_in_worker, batch, recipe): len(batch) for batch in batches}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker(estimator: dict[str, Any]) -> None:
    """Remember the estimator; it is built with the first batch, so that errors come back."""
    _worker['config'] = estimator


def _run_in_worker(batch: Sequence[Job], recipe: str) -> Outcome:
    """Run a batch in a process of the pool."""
    if 'estimator' not in _worker:
        _worker['estimator'] = TASK_UTILS.build(_worker['config'])
    return _run_batch(batch, _worker['estimator'], recipe)


def _run_batch(batch: Sequence[Job], estimator: PoseEstimator, recipe: str) -> Outcome:
    """Read, estimate, map and write one batch."""
    crops, unreadable = [], []
    # Before the frames are read: one that changes meanwhile is made again by the next run.
    origins = {job: make_origin(*job, recipe) for job in batch if os.path.isfile(job.source)}
    for job, crop in zip(batch, _read_crops(batch), strict=True):
        if isinstance(crop, str):
            unreadable.append(crop)
            if job in origins:  # what was made of it while it was readable
                Path(job.target).unlink(missing_ok=True)
        else:
            crops.append((job, crop))
    written = found = replaced = 0
    poses = estimator([crop for _, crop in crops]) if crops else []
    for (job, _), pose in zip(crops, poses, strict=True):
        if is_current(*job, recipe):
            continue
        joints = None
        if pose.joints is not None:
            joints = to_h36m(pose.joints, estimator.layout)
            joints = joints - joints[_ROOT]
        replaced += os.path.isfile(job.target)
        write_skeleton_file(job.target, joints, pose.confidence, origins[job])
        written += 1
        found += joints is not None
    return Outcome(written, found, unreadable, replaced)


def _read_crops(batch: Sequence[Job]) -> Iterator[np.ndarray | str]:
    """Yield each crop, RGB, uint8, (H, W, 3), or why it could not be read."""
    frames: dict[int, np.ndarray] = {}
    boxed = [job for job in batch if job.box is not None]
    if boxed:
        video = _worker.get('video')
        if video is None or video.path != boxed[0].source:
            video = _worker['video'] = VideoReader(boxed[0].source)
        frames = video.take(job.box.frame for job in boxed if job.box is not None)
    for job in batch:
        try:
            if job.box is None:
                yield decode_image(job.source)
            elif job.box.frame in frames:
                yield job.box.cut(frames[job.box.frame])
            else:
                yield f'{job.source} has no frame {job.box.frame}'
        except (OSError, ValueError) as error:
            yield str(error)
