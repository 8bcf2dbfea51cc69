"""Tiny models and batches for the tests of this folder."""

from types import SimpleNamespace

import pytest
import torch

from csipreid.registry import MODELS
from csipreid.structures import ReIDDataSample

IMAGE_ENCODER = dict(
    type='CLIPVisionTransformer',
    arch=dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32, patch_size=4),
    image_size=(16, 8),
    embed_dim=8,
)
SKELETON_ENCODER = dict(
    type='SkeletonGraphTransformer', embed_dim=12, depth=2, num_heads=2, feedforward_channels=24
)
SKELETON_PARTS = dict(
    skeleton_encoder=SKELETON_ENCODER,
    prototype_updater=dict(type='PrototypeFusionUpdater', num_heads=2),
    prototype_loss=dict(type='PrototypeContrastiveLoss'),
)
JOINTS = dict(
    joint_head=dict(type='JointPredictionHead', hidden_channels=6),
    joint_loss=dict(type='JointLoss'),
)


def _stage1(**kwargs):
    config = dict(
        type='SkeletonImagePretrainer',
        image_encoder=IMAGE_ENCODER,
        skeleton_encoder=SKELETON_ENCODER,
        loss=dict(type='CrossModalSupConLoss'),
    )
    return _randomized(MODELS.build(config | kwargs))


def _stage2(filled=True, skeletons=True, **kwargs):
    config = dict(
        type='VideoReID',
        num_ids=5,
        num_cams=3,
        image_encoder=IMAGE_ENCODER,
        temporal=dict(type='SkeletonGuidedTemporalModeling', num_heads=2),
        identity_head=dict(type='BNNeckHead'),
        identity_loss=dict(type='IdentityLoss'),
        triplet_loss=dict(type='BatchHardTripletLoss'),
        frame_loss=dict(type='IdentityLoss'),
        camera_embedding=dict(type='CameraEmbedding'),
    )
    model = _randomized(MODELS.build(config | (SKELETON_PARTS if skeletons else {}) | kwargs))
    if filled and model.prototype_bank is not None:
        model.prototype_bank.fill(torch.randn(5, 8), torch.randn(5, 8))
    return model


def _randomized(model):
    """Give the position embedding values, as training or pretrained weights would."""
    for name, parameter in model.named_parameters():
        if name.endswith(('pos_embed', 'cls_token')):
            torch.nn.init.normal_(parameter, std=0.5)
    return model


def _batch(num_clips=4, clip_len=3, valid=None, labels=(0, 0, 3, 3), camids=(0, 1, 2, 0)):
    """Make a batch as the data preprocessor returns it."""
    inputs = dict(
        frames=torch.randn(num_clips, clip_len, 3, 16, 8),
        skeletons=torch.randn(num_clips, clip_len, 17, 3),
        skeleton_valid=torch.ones(num_clips, clip_len, dtype=torch.bool)
        if valid is None
        else valid,
    )
    data_samples = [
        ReIDDataSample(pid=label + 7, label=label, camid=camid)
        for label, camid in zip(labels, camids, strict=True)
    ]
    return inputs, data_samples


@pytest.fixture(autouse=True)
def _fixed_seed():
    torch.manual_seed(0)


@pytest.fixture
def tiny():
    """Builders of tiny models and batches, and their configs."""
    return SimpleNamespace(
        stage1=_stage1,
        stage2=_stage2,
        batch=_batch,
        image_encoder=IMAGE_ENCODER,
        joints=JOINTS,
        skeleton_encoder=SKELETON_ENCODER,
    )
