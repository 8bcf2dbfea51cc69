"""The walkers: an embedded data set of rendered people, in the layout of MARS."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from rich.console import Console
from rich.progress import Progress

from csipreid.synthetic.background import paint_background
from csipreid.synthetic.camera import Camera, at_another_hour, draw_cameras
from csipreid.synthetic.filming import plan_shot, render_shot
from csipreid.synthetic.mars_writer import (
    Split,
    Tracklet,
    TrackRecord,
    write_tables,
    write_tracklet,
)
from csipreid.synthetic.people import Walker, draw_walkers
from csipreid.synthetic.staging import staged
from csipreid.worker_processes import worker_pool

META_FILE = 'walkers.json'
GROUP_SIZE = 3  # identities that share their clothing
_VERSION = 1  # of the pictures: raise it when equal arguments give other bytes
_SPLITS: tuple[Split, Split] = ('train', 'test')


@dataclass(frozen=True)
class WalkersSettings:
    """What decides the bytes of a walkers data set.

    Args:
        seed: Seed of all randomness, at least 0.
        num_train_ids: Number of training identities.
        num_test_ids: Number of test identities.
        num_cams: Number of cameras, 2 to 9.
        tracklets: Least and greatest number of tracklets per identity and camera.
        frames: Least and greatest number of frames of a tracklet.

    Raises:
        ValueError: If a number is out of its range.
    """

    seed: int = 0
    num_train_ids: int = 24
    num_test_ids: int = 24
    num_cams: int = 4
    tracklets: tuple[int, int] = (2, 3)
    frames: tuple[int, int] = (16, 40)

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ('seed', self.seed, 0, 2**63 - 1),
            ('num_train_ids', self.num_train_ids, 1, 4999),
            ('num_test_ids', self.num_test_ids, 1, 4999),
            ('num_cams', self.num_cams, 2, 9),
        ):
            if not low <= value <= high:
                raise ValueError(f'{name} must be from {low} to {high}, got {value}')
        for name, bounds, high in (('tracklets', self.tracklets, 99), ('frames', self.frames, 999)):
            if len(bounds) != 2 or not 1 <= bounds[0] <= bounds[1] <= high:
                raise ValueError(
                    f'{name} must be (least, greatest) with 1 <= least <= greatest <= {high}, '
                    f'got {bounds}'
                )


def write_walkers(
    out: str | Path,
    seed: int = 0,
    num_train_ids: int = 24,
    num_test_ids: int = 24,
    num_cams: int = 4,
    tracklets: tuple[int, int] = (2, 3),
    frames: tuple[int, int] = (16, 40),
    num_workers: int = 1,
    overwrite: bool = False,
) -> Path:
    """Render people who walk past cameras, with exact 3D skeletons, as MARS files.

    Groups of three identities share their clothing; body and gait tell them
    apart. Training and test identities are disjoint and see the same cameras.
    The test set also holds a few junk and distractor tracklets. About four per
    cent of the frames have no skeleton: the file is absent or holds zeros.
    Skeletons are in H36M order, in metres, in camera axes (x right, y down,
    z forward).

    Equal arguments give equal bytes with any number of workers. A finished
    set with the same arguments is kept as it is; ``walkers.json`` remembers
    the arguments and the clothing group of each identity.

    Args:
        out: Folder to write. It appears when everything is complete.
        seed: Seed of all randomness.
        num_train_ids: Number of training identities.
        num_test_ids: Number of test identities.
        num_cams: Number of cameras, 2 to 9.
        tracklets: Least and greatest number of tracklets per identity and camera.
        frames: Least and greatest number of frames of a tracklet.
        num_workers: Number of processes.
        overwrite: Whether to replace a finished walkers set with other arguments.

    Returns:
        The folder.

    Raises:
        ValueError: If an argument is out of its range.
        FileExistsError: If the folder holds something else.
    """
    settings = WalkersSettings(seed, num_train_ids, num_test_ids, num_cams, tracklets, frames)
    if num_workers < 1:
        raise ValueError(f'num_workers must be at least 1, got {num_workers}')
    folder = Path(out).resolve()
    if _is_finished(folder, settings, overwrite):
        return folder
    with staged(folder) as partial:
        jobs = [
            _Job(partial, settings, split, pid)
            for split in _SPLITS
            for pid in _pids(settings, split)
        ]
        records: dict[str, list[TrackRecord]] = {split: [] for split in _SPLITS}
        console = Console()
        with Progress(console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task('walkers: identities', total=len(jobs))
            for job, written in zip(jobs, _run(jobs, num_workers), strict=True):
                records[job.split] += written
                progress.advance(task)
        write_tables(partial, records['train'], records['test'], _queries(records['test']))
        (partial / META_FILE).write_text(json.dumps(_meta(settings), indent=1) + '\n')
    return folder


class _Job(NamedTuple):
    """The tracklets of one identity."""

    root: Path
    settings: WalkersSettings
    split: Split
    pid: int


class _World(NamedTuple):
    """What all tracklets share."""

    cameras: list[Camera]
    backgrounds: list[np.ndarray]
    walkers: dict[int, Walker]


def _run(jobs: Sequence[_Job], num_workers: int) -> Iterator[list[TrackRecord]]:
    """Do the jobs, in order."""
    if num_workers == 1:
        yield from map(_film_identity, jobs)
        return
    with worker_pool(num_workers, cv2.setNumThreads, (1,)) as pool:
        yield from pool.map(_film_identity, jobs)


def _film_identity(job: _Job) -> list[TrackRecord]:
    """Film and write all tracklets of one identity, junk or the distractors."""
    settings = job.settings
    world = _world(settings)
    records = []
    for camera, number in _appearances(settings, job.pid):
        rng = _rng(settings, 'tracklet', job.pid + 1, camera, number)
        walker = world.walkers[job.pid] if job.pid > 0 else draw_walkers(rng, 1, group_size=1)[0]
        view = at_another_hour(world.cameras[camera], rng)
        shot = plan_shot(
            walker,
            view,
            rng,
            num_frames=int(rng.integers(settings.frames[0], settings.frames[1] + 1)),
            misplaced=0.5 if job.pid < 0 else 0.0,
        )
        tracklet = Tracklet(
            pid=job.pid,
            camera=camera + 1,
            number=number,
            frames=render_shot(shot, view, world.backgrounds[camera], rng),
            skeletons=_with_gaps(shot.joints, rng),
            quality=view.quality,
        )
        records.append(write_tracklet(job.root, job.split, tracklet))
    return records


def _appearances(settings: WalkersSettings, pid: int) -> list[tuple[int, int]]:
    """List camera (from 0) and number (from 1) of the tracklets of an identity."""
    rng = _rng(settings, 'appearances', pid + 1)
    if pid > 0:
        counts = rng.integers(
            settings.tracklets[0], settings.tracklets[1] + 1, size=settings.num_cams
        )
    else:  # junk and distractors: a few, anywhere
        share = 4 if pid < 0 else 2
        cameras = rng.integers(settings.num_cams, size=max(1, settings.num_test_ids // share))
        counts = np.bincount(cameras, minlength=settings.num_cams)
    return [(camera, n) for camera, count in enumerate(counts) for n in range(1, int(count) + 1)]


def _with_gaps(joints: np.ndarray, rng: np.random.Generator) -> list[np.ndarray | None]:
    """Lose about four per cent of the skeletons, in runs: no file or all zeros."""
    skeletons: list[np.ndarray | None] = []
    missing = absent = False
    for skeleton in joints:
        stays = rng.uniform() < 0.5
        if not (missing and stays):
            missing, absent = rng.uniform() < 0.022, rng.uniform() < 0.5
        gap = None if absent else np.zeros_like(skeleton)
        skeletons.append(gap if missing else skeleton)
    return skeletons


def _queries(records: Sequence[TrackRecord]) -> list[int]:
    """Choose one query per identity and camera; one tracklet of each identity must stay.

    Where a camera has a single tracklet of an identity, it is a query unless it
    is the last camera of that identity.
    """
    rows: dict[int, dict[int, list[int]]] = {}
    for row, record in enumerate(records):
        if record.pid > 0:
            rows.setdefault(record.pid, {}).setdefault(record.camera, []).append(row)
    return [
        in_camera[0]
        for cameras in rows.values()
        for camera, in_camera in cameras.items()
        if len(in_camera) > 1 or camera != max(cameras)
    ]


def _pids(settings: WalkersSettings, split: Split) -> list[int]:
    """List the identities of a part, ascending: odd for training, even for testing."""
    if split == 'train':
        return [2 * index + 1 for index in range(settings.num_train_ids)]
    return [-1, 0] + [2 * index + 2 for index in range(settings.num_test_ids)]


@lru_cache(maxsize=1)
def _world(settings: WalkersSettings) -> _World:
    """Make cameras, places and people; each process does so once."""
    cameras = draw_cameras(_rng(settings, 'cameras'), settings.num_cams)
    walkers: dict[int, Walker] = {}
    for split, count in zip(_SPLITS, (settings.num_train_ids, settings.num_test_ids), strict=True):
        people = draw_walkers(_rng(settings, f'{split} people'), count, GROUP_SIZE)
        walkers |= dict(
            zip([pid for pid in _pids(settings, split) if pid > 0], people, strict=True)
        )
    return _World(
        cameras=cameras,
        backgrounds=[
            paint_background(camera, _rng(settings, 'background', index))
            for index, camera in enumerate(cameras)
        ],
        walkers=walkers,
    )


def _rng(settings: WalkersSettings, what: str, *numbers: int) -> np.random.Generator:
    """Make the generator of one thing, independent of all others."""
    return np.random.default_rng([settings.seed, *what.encode(), *numbers])


def _meta(settings: WalkersSettings) -> dict:
    """Describe a finished data set."""
    groups = {}
    for split in _SPLITS:
        people = [pid for pid in _pids(settings, split) if pid > 0]
        groups[split] = {str(pid): index // GROUP_SIZE for index, pid in enumerate(people)}
    return dict(kind='walkers', version=_VERSION, settings=_plain(settings), groups=groups)


def _plain(settings: WalkersSettings) -> dict:
    """Settings as JSON gives them back."""
    return json.loads(json.dumps(asdict(settings)))


def _is_finished(folder: Path, settings: WalkersSettings, overwrite: bool) -> bool:
    """Tell whether the data set exists already; refuse to touch anything else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    meta_file = folder / META_FILE
    if not meta_file.is_file():
        raise FileExistsError(
            f'{folder} exists and is not a walkers data set (no {META_FILE}); '
            'choose another folder or remove it'
        )
    try:
        meta = json.loads(meta_file.read_text(encoding='utf-8'))
    except (ValueError, RecursionError):
        meta = None
    if not isinstance(meta, dict) or meta.get('kind') != 'walkers':
        raise FileExistsError(
            f'{meta_file} is not what a finished walkers data set holds; choose another folder or '
            'remove it'
        )
    if overwrite:
        foreign = sorted(path.name for path in folder.iterdir() if not _is_own(path.name))
        if foreign:
            raise FileExistsError(
                f'{folder} also holds {foreign[0]!r}, which is not of the walkers and would be '
                'lost; move it elsewhere'
            )
        return False
    if (meta.get('version'), meta.get('settings')) == (_VERSION, _plain(settings)):
        return True
    raise FileExistsError(
        f'{folder} holds walkers made with other arguments ({meta.get("settings")}, version '
        f'{meta.get("version")}); choose another folder or pass overwrite'
    )


def _is_own(name: str) -> bool:
    """Return whether an entry of a walkers data set was made for it."""
    return name[0] == '.' or name in ('info', 'bbox_train', 'bbox_test', 'skeleton_3d', META_FILE)
