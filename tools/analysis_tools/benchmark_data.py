"""Loading of clips: our pipeline beside PIL and JSON files, frame by frame."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from benchmark_measure import compare, in_turn, wait_for
from benchmark_models import SIZES, build_model, load_config, training_step
from mmengine.registry import DefaultScope
from PIL import Image
from torch.utils.data import DataLoader, Dataset, default_collate

from csipreid.datasets.frame_files import list_frames
from csipreid.engine.runner import ReIDRunner
from csipreid.registry import MODELS
from csipreid.skeletons.files import write_skeleton_file
from csipreid.skeletons.packing import pack_folder

_BYTES = 5000  # of a frame of 256 x 128 pixels, about what MARS has


def make_data_set(root: Path, size: str, tracklets: int, frames: int = 16) -> None:
    """Write tracklets as a ``TrackletFolder`` wants them, two of each person.

    Frames are smooth noise with some grain, in JPEG files of a size like MARS's; skeletons are
    there twice, as JSON files in ``loose`` and packed in ``skeleton_3d``.
    """
    rng = np.random.default_rng(0)
    height, width = SIZES[size].frame_size
    for clip in range(tracklets):
        name = f'{clip // 2 + 1:04}/c{clip % 6 + 1}_{clip:04}'
        (root / 'train' / name).mkdir(parents=True)
        for frame in range(frames):
            coarse = rng.integers(0, 256, (height // 16, width // 16, 3)).astype(np.float32)
            image = cv2.resize(coarse, (width, height)) + rng.normal(0, 4, (height, width, 3))
            path = root / 'train' / name / f'{frame:03}.jpg'
            _write_jpeg(path, np.clip(image, 0, 255).astype(np.uint8))
            joints = rng.normal(0, 0.4, (17, 3)).astype(np.float32)
            for folder in ('loose', 'skeleton_3d'):
                write_skeleton_file(
                    root / folder / 'train' / name / f'{frame:03}.json', joints, 1.0
                )
    pack_folder(str(root / 'skeleton_3d' / 'train'), 'h36m')


def _write_jpeg(path: Path, image: np.ndarray) -> None:
    """Write a frame with the quality that gives about the wanted size."""
    wanted = _BYTES * image.shape[0] * image.shape[1] / (256 * 128)
    for quality in (90, 80, 70, 60, 50, 40):
        content = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        if len(content) <= wanted:
            break
    path.write_bytes(content.tobytes())


class PlainClips(Dataset):
    """Clips by PIL, JSON and floats, one frame after the other, as published code loads them.

    Each item is what ours is: the frames of a clip, resized, mirrored with probability 1/2,
    partly erased with probability 1/2 each, normalised, and the skeletons about their root.

    Args:
        root: Folder of :func:`make_data_set`.
        size: Key of ``SIZES``.
        clip_len: Frames of a clip T.
    """

    def __init__(self, root: Path, size: str, clip_len: int) -> None:
        self.tracklets = [
            [str(folder / name) for name in list_frames(str(folder))]
            for folder in sorted((root / 'train').glob('*/*'))
        ]
        self.size = SIZES[size].frame_size
        self.clip_len = clip_len
        self.mean, self.std = (
            np.array([122.771, 116.746, 104.094], np.float32),
            np.array([68.5, 66.6, 70.3], np.float32),
        )

    def __len__(self) -> int:
        return len(self.tracklets)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor, int, str]:
        paths = self.tracklets[index]
        step = -(-len(paths) // self.clip_len)
        picks = np.arange(self.clip_len) * step + np.random.randint(step, size=self.clip_len)
        chosen = [paths[min(pick, len(paths) - 1)] for pick in picks]
        mirrored = np.random.random() < 0.5
        frames = [self._frame(path, mirrored) for path in chosen]
        skeletons = [self._skeleton(path) for path in chosen]
        return torch.stack(frames), torch.stack(skeletons), index, paths[0]

    def _frame(self, path: str, mirrored: bool) -> torch.Tensor:
        """Load one frame, float, (3, H, W)."""
        height, width = self.size
        image = Image.open(path).convert('RGB').resize((width, height), Image.Resampling.BICUBIC)
        if mirrored:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        values = (np.asarray(image, np.float32) - self.mean) / self.std
        tensor = torch.from_numpy(values).permute(2, 0, 1).contiguous()
        if np.random.random() < 0.5:
            top, left = np.random.randint(height * 2 // 3), np.random.randint(width * 2 // 3)
            tensor[:, top : top + height // 3, left : left + width // 3] = 0
        return tensor

    def _skeleton(self, path: str) -> torch.Tensor:
        """Load one skeleton about its root, float, (17, 3)."""
        name = path.replace('/train/', '/loose/train/').removesuffix('.jpg') + '.json'
        with open(name, encoding='utf-8') as file:
            joints = torch.tensor(json.load(file)['keypoints'])
        return joints - joints[:1]


def make_loaders(root: Path, size: str, workers: int, batch: int) -> dict[str, Any]:
    """Build both loaders, with the same number of processes."""
    config = load_config(2, size)
    with DefaultScope.overwrite_default_scope('csipreid'):
        ours = ReIDRunner.build_dataloader(
            dict(
                batch_size=batch,
                num_workers=workers,
                persistent_workers=workers > 0,
                drop_last=True,
                sampler=dict(type='DefaultSampler', shuffle=True),
                dataset=dict(
                    type='TrackletFolder',
                    data_root=str(root),
                    subset='train',
                    pipeline=config.train_pipeline,
                ),
            ),
            seed=0,
        )
    plain = DataLoader(
        PlainClips(root, size, config.clip_len),
        batch_size=batch,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        collate_fn=default_collate,
    )
    return dict(ours=ours, plain=plain)


def measure_loading(root: Path, size: str, workers: int) -> dict[str, dict[str, Any]]:
    """Compare the time of an epoch without training, from files to batches in this process.

    - ``data.loading``: to what the loader gives. The plain pipeline normalises frames in its
      workers; ours hands over bytes, which are normalised on the device.
    - ``data.normalised``: ours is normalised on the CPU by this process, which is timed too.

    Every process computes on one thread, as workers do anyway.
    """
    loaders = make_loaders(root, size, workers, SIZES[size].stage2_clips)

    def epoch(batches: Iterable) -> None:
        for _ in batches:
            pass

    jobs: dict[str, Callable[[], object]] = dict(
        loading=lambda: epoch(loaders['ours']),
        normalised=lambda: epoch(normalised(loaders['ours'], size)),
        plain=lambda: epoch(loaders['plain']),
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = in_turn(jobs, SIZES[size].rounds)
    finally:
        torch.set_num_threads(threads)
    clips = len(loaders['ours']) * SIZES[size].stage2_clips
    files = [path.stat().st_size for path in (root / 'train').rglob('*.jpg')]
    items = {}
    for name in ('loading', 'normalised'):
        item = compare(seconds[name], seconds['plain'])
        items[f'data.{name}'] = dict(
            item,
            clips_per_second=clips / item['ours'],
            clips_per_second_without=clips / item['without'],
            frames_per_second=clips * load_config(2, size).clip_len / item['ours'],
            workers=workers,
            jpeg_bytes=sum(files) / len(files),
        )
    return items


def normalised(loader: Iterable[dict], size: str) -> Iterator[dict]:
    """Yield our batches as a model sees them, by the data preprocessor of the config."""
    prepare = MODELS.build(load_config(2, size).model.data_preprocessor)
    return (prepare(batch, True) for batch in loader)


def measure_waiting(root: Path, size: str, workers: int, device: str) -> dict[str, Any]:
    """Train a few steps of stage 2 from the loader and time how long they wait for data."""
    loader = make_loaders(root, size, workers, SIZES[size].stage2_clips)['ours']
    step_of = training_step(build_model(2, size, device), load_config(2, size))
    batches: Iterator[dict] = cycle_of(loader)
    step_of(next(batches))
    waiting, start = 0.0, time.perf_counter()
    for _ in range(SIZES[size].rounds):
        before = time.perf_counter()
        batch = next(batches)
        waiting += time.perf_counter() - before
        step_of(batch)
        wait_for(device)
    return dict(share_waiting_for_data=waiting / (time.perf_counter() - start))


def cycle_of(loader: Any) -> Iterator[dict]:
    """Yield the batches of a loader for ever, epoch after epoch."""
    while True:
        yield from loader


if __name__ == '__main__':
    print('usage: python tools/analysis_tools/benchmark.py --help; this file is a part of it')
