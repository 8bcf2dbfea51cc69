"""The README's way from a video to a trained model, on a video made here."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from csipreid.registry import MODELS

ROOT = Path(__file__).parents[2]
ENV = dict(
    os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='', COLUMNS='200'
)
PEOPLE, FRAMES_EACH = 6, 45  # of which the first 30 query
CONVERTERS = 'tools/dataset_converters'
# A body of 1.6 m that sways with its clothes.
ESTIMATOR = """
import numpy as np

HEIGHTS = [0, 0, .4, .8, 0, .4, .8, -.25, -.5, -.65, -.8, -.5, -.25, 0, -.5, -.25, 0]
SIDES = [0, -.1, -.1, -.1, .1, .1, .1, 0, 0, 0, 0, .2, .2, .2, -.2, -.2, -.2]

def estimate(crops):
    rng = np.random.default_rng(0)
    bodies = [np.stack([SIDES, HEIGHTS, np.full(17, .1)], 1) for _ in crops]
    return [(body + rng.normal(0, .005, body.shape), .9) for body in bodies]
"""
# Each config in small: the recipe of the folder configs with a tower of one layer.
SMALL = """
_base_ = '{base}'
size = (32, 16)
model = dict(
    image_encoder=dict(
        arch=dict(_delete_=True, embed_dims=24, num_layers=1, num_heads=2,
                  feedforward_channels=24, patch_size=8),
        image_size=size, embed_dim=16),
    skeleton_encoder=dict(embed_dim=16, depth=1, num_heads=2, feedforward_channels=16), {more})
train_pipeline = _base_.train_pipeline
train_pipeline[3].update(size=size)
test_pipeline = _base_.test_pipeline
test_pipeline[{resize}].update(size=size)
train_dataloader = dict(num_workers=0, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=0, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=1, val_interval=1)
"""
PROTOTYPES = """
prototype_pipeline = _base_.prototype_pipeline
prototype_pipeline[3].update(size=size)
default_hooks = dict(prototypes=dict(
    dataloader=dict(num_workers=0, dataset=dict(pipeline=prototype_pipeline))))
"""


def call(*arguments):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=ROOT, env=ENV, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def succeed(*arguments):
    result = call(*arguments)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout


def write_video(path):
    """People in clothes of their own, who walk through the picture one by one."""
    rng = np.random.default_rng(0)
    wall = np.full((96, 128, 3), 120, np.uint8)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 25, (128, 96))
    for _ in range(3):
        writer.write(wall)
    for _ in range(PEOPLE):
        clothes = cv2.resize(
            rng.choice([0, 255], size=(7, 3, 3)).astype(np.uint8), (24, 70), interpolation=0
        )
        for step in range(FRAMES_EACH):
            frame = wall.copy()
            frame[14:84, 10 + 2 * step - step // 2 :][:, :24] = clothes
            writer.write(frame)
        for _ in range(14):
            writer.write(wall)
    writer.release()


@pytest.fixture(scope='module')
def chain(tmp_path_factory):
    """Video, boxes, the estimator of skeletons, small configs and a tower."""
    root = tmp_path_factory.mktemp('chain')
    write_video(root / 'video.avi')
    (root / 'estimator.py').write_text(ESTIMATOR)
    more = 'temporal=dict(num_heads=2), prototype_updater=dict(num_heads=2)'
    for stage in (1, 2):
        base = ROOT / f'configs/csip/stage{stage}_folder.py'
        resize = 3 if stage == 1 else 2  # place of ResizeFrames: stage 2 tests without skeletons
        text = SMALL.format(base=base, more=more if stage == 2 else '', resize=resize)
        (root / f'stage{stage}.py').write_text(text + (PROTOTYPES if stage == 2 else ''))
    settings = Config.fromfile(root / 'stage1.py').model.image_encoder
    torch.save(MODELS.build(settings).state_dict(), root / 'tower.pth')
    boxed = succeed(f'{CONVERTERS}/box_people.py', root / 'video.avi', '--out', root / 'boxes.txt')
    assert f'{PEOPLE} tracks' in boxed
    return root


def cut_and_extract(chain, tracks):
    """Cut tracklets, some of them for training, and extract skeletons; return the data set."""
    data = chain / f'data{len(tracks)}'
    succeed(
        f'{CONVERTERS}/cut_tracklets.py', chain / 'video.avi', chain / 'boxes.txt', '--out', data,
        '--train-tracks', *tracks, '--length', 30,
    )  # fmt: skip
    succeed(
        f'{CONVERTERS}/extract_skeletons.py', '--config', 'configs/csip/stage1_folder.py',
        '--data-root', data, '--estimator', 'function', '--function',
        f'{chain / "estimator.py"}:estimate', '--layout', 'h36m',
    )  # fmt: skip
    return data


def check(data):
    """Let the doctor look at it, for both stages."""
    configs = [f'configs/csip/stage{stage}_folder.py' for stage in (1, 2)]
    return call('tools/misc/verify_dataset.py', *configs, '--data-root', data)


@pytest.mark.slow
def test_what_the_check_calls_fit_trains_in_both_stages(chain):
    data = cut_and_extract(chain, [1, 2, 3, 4])
    checked = check(data)
    assert checked.returncode == 0, checked.stdout
    assert 'fit for training and testing by configs/csip/stage1_folder.py and' in checked.stdout
    weights = chain / 'tower.pth'
    for stage in (1, 2):
        succeed(
            'tools/train.py', chain / f'stage{stage}.py', '--data-root', data, '--work-dir',
            chain / f'run{stage}', '--pretrained', weights,
        )  # fmt: skip
        weights = chain / f'run{stage}' / 'epoch_1.pth'
    tested = succeed(
        'tools/test.py', chain / 'stage2.py', weights, '--data-root', data, '--work-dir',
        chain / 'test',
    )  # fmt: skip
    assert 'mAP' in tested


@pytest.mark.slow
def test_too_few_people_are_refused_by_check_and_training_alike(chain):
    data = cut_and_extract(chain, [1, 2, 3])
    checked = check(data)
    assert checked.returncode == 1
    assert 'stage2_folder.py needs 4 persons, there are 3' in checked.stdout
    trained = call(
        'tools/train.py', chain / 'stage2.py', '--data-root', data, '--work-dir', chain / 'none'
    )
    assert trained.returncode == 1
    assert 'needs 4 identities' in trained.stderr.splitlines()[-1]
