"""The models of the shipped configs with random weights, and batches for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope

import csipreid.engine  # noqa: F401  # registers the optimiser constructors of the configs
from csipreid.registry import MODELS
from csipreid.structures import ReIDDataSample

_CONFIGS = Path(__file__).parents[2] / 'configs' / 'csip'
_JOINTS = 17


class Size(NamedTuple):
    """What is measured at one size.

    Attributes:
        dataset: Ending of the names of the configs.
        num_ids: Identities K of the training set.
        stage1_clips: Clips of a stage-1 batch.
        stage2_clips: Clips of a stage-2 batch.
        test_clips: Clips of a test batch.
        data_clips: Tracklets that the data pipelines load.
        frame_size: Height and width of the frames, pixels.
        evaluation: Queries, gallery tracklets and dimensions of the evaluation.
        rounds: Measurements of each job.
    """

    dataset: str
    num_ids: int
    stage1_clips: int
    stage2_clips: int
    test_clips: int
    data_clips: int
    frame_size: tuple[int, int]
    evaluation: tuple[int, int, int]
    rounds: int


SIZES = dict(
    tiny=Size('walkers', 24, 8, 4, 4, 24, (64, 32), (60, 300, 64), 3),
    paper=Size('mars', 625, 16, 2, 2, 128, (256, 128), (1980, 9330, 2048), 3),
)


def load_config(stage: int, size: str) -> Config:
    """Read the shipped config of a stage."""
    return Config.fromfile(_CONFIGS / f'stage{stage}_{SIZES[size].dataset}.py')


def build_model(stage: int, size: str, device: str, **changes: Any) -> Any:
    """Build the model of a stage with random weights, ready to train.

    Args:
        stage: 1 or 2.
        size: Key of :data:`SIZES`.
        device: Where it goes.
        **changes: Changes of the model's config.
    """
    torch.manual_seed(0)
    config = dict(load_config(stage, size).model, **changes)
    if stage == 2:
        config.update(num_ids=SIZES[size].num_ids, num_cams=6)
    model = MODELS.build(config)
    if stage == 2:
        shape = (SIZES[size].num_ids, model.image_encoder.embed_dim)
        model.prototype_bank.fill(torch.randn(shape), torch.randn(shape))
    return model.to(device).train()


def make_batch(size: str, num_clips: int, skeletons: bool = True) -> dict:
    """Make a batch as the data loader gives it: uint8 frames and skeletons of all clips.

    Frames lie in memory with the channels last, as the loader leaves them.
    """
    chosen = SIZES[size]
    generator = torch.Generator().manual_seed(1)
    clip_len = load_config(2, size).clip_len
    shape = (clip_len, *chosen.frame_size, 3)
    frames = torch.randint(256, (num_clips, *shape), dtype=torch.uint8, generator=generator)
    inputs = dict(frames=frames.movedim(-1, -3))
    samples = []
    for clip in range(num_clips):
        label = clip // 2
        samples.append(ReIDDataSample(pid=label + 1, label=label, camid=clip % 6, num_clips=1))
    if skeletons:
        joints = torch.randn(num_clips, clip_len, _JOINTS, 3, generator=generator)
        inputs['skeletons'] = 0.3 * joints
        for sample in samples:
            sample.skeleton_valid = np.ones(clip_len, bool)
    return dict(inputs=inputs, data_samples=samples)


def training_step(model: Any, config: Config, **changes: Any) -> Callable[[dict], dict]:
    """Make the step that the runner takes: preprocessing, losses, gradients, optimiser.

    Args:
        model: The model.
        config: Gives the optimiser.
        **changes: Changes of the config of the optimiser's wrapper.

    Returns:
        The step, from a batch as the data loader gives it to the losses.
    """
    with DefaultScope.overwrite_default_scope('csipreid'):
        wrapper = build_optim_wrapper(model, dict(config.optim_wrapper, **changes))
    return lambda batch: model.train_step(batch, wrapper)


if __name__ == '__main__':
    print('usage: python tools/analysis_tools/benchmark.py --help; this file is a part of it')
