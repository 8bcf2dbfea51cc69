"""Outputs, losses and gradients of the published implementation, reproduced."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from csipreid.models.official_keys import (
    official_to_csipreid,
    official_to_csipreid_keys,
)
from csipreid.models.official_layouts import CSIP
from csipreid.registry import MODELS
from csipreid.structures import ReIDDataSample

CASES = [
    Path(__file__).parents[1] / 'data' / 'golden_a',
    *(Path(name) for name in os.environ.get('CSIPREID_GOLDEN_DIRS', '').split(':') if name),
]


def encoders(meta):
    """Configs of both encoders with the published behaviour."""
    width = meta['vision_width']
    return dict(
        image_encoder=dict(
            type='CLIPVisionTransformer',
            arch=dict(
                embed_dims=width,
                num_layers=meta['vision_layers'],
                num_heads=meta['vision_heads'],
                feedforward_channels=4 * width,
                patch_size=meta['patch'],
            ),
            image_size=tuple(meta['image_size']),
            embed_dim=meta['proj_dim'],
        ),
        skeleton_encoder=dict(
            type='SkeletonGraphTransformer',
            embed_dim=meta['ske_dim'],
            depth=meta['ske_layers'],
            num_heads=meta['ske_heads'],
            feedforward_channels=2 * meta['ske_dim'],
            dropout=0.0,
            encoding='published',
        ),
    )


def published_stage1(meta):
    return dict(
        type='SkeletonImagePretrainer',
        **encoders(meta),
        loss=dict(type='CrossModalSupConLoss', normalize=False, temperature=1.0, loss_weight=2.0),
    )


def published_stage2(meta):
    return dict(
        type='VideoReID',
        num_ids=meta['num_ids'],
        num_cams=meta['num_cams'],
        **encoders(meta),
        temporal=dict(
            type='SkeletonGuidedTemporalModeling',
            num_heads=meta['sgtm_heads'],
            dropout=0.0,
            scrambled_skeletons=True,
        ),
        identity_head=dict(type='BNNeckHead'),
        camera_embedding=dict(type='CameraEmbedding'),
        prototype_updater=dict(
            type='PrototypeFusionUpdater', num_heads=meta['proj_dim'] // 64, dropout=0.0
        ),
        identity_loss=dict(type='IdentityLoss', loss_weight=0.25),
        triplet_loss=dict(type='BatchHardTripletLoss', margin=0.3),
        frame_loss=dict(type='IdentityLoss', loss_weight=1.3),
        prototype_loss=dict(type='PrototypeContrastiveLoss', normalize=False, temperature=1.0),
        freeze_skeletons=False,
        skeleton_dropout=0.0,
    )


@pytest.fixture(scope='module', params=CASES, ids=lambda path: path.name)
def case(request):
    """Both models with the golden weights, and the golden inputs and outputs."""
    folder = request.param
    meta = json.loads((folder / 'meta.json').read_text())
    official = torch.load(folder / 'official_state_dict.pth', weights_only=True)
    state_dict, _ = official_to_csipreid(official)
    with np.load(folder / 'io.npz') as arrays:
        io = {name: torch.from_numpy(arrays[name]) for name in arrays.files}

    stage2 = MODELS.build(published_stage2(meta))
    missing, unexpected = stage2.load_state_dict(state_dict, strict=False)
    assert not unexpected
    assert set(missing) <= set(CSIP.ours_only)
    stage2.prototype_bank.fill(io['image_prototypes'], io['skeleton_prototypes'])
    stage1 = MODELS.build(published_stage1(meta))
    stage1.load_state_dict({key: state_dict[key] for key in stage1.state_dict()})

    samples = zip(io['pid'].tolist(), io['cam'].tolist(), strict=True)
    return SimpleNamespace(
        meta=meta,
        io=io,
        stage1=stage1.train(),
        stage2=stage2.eval(),
        inputs=dict(frames=io['img'], skeletons=io['ske']),
        data_samples=[ReIDDataSample(pid=pid, label=pid, camid=cam) for pid, cam in samples],
        official_names={
            mine: theirs for theirs, mine in official_to_csipreid_keys(official).items()
        },
    )


def close(actual, expected):
    """Whether two tensors differ by less than 1e-5 of the largest magnitude."""
    return (actual - expected).abs().max() <= 1e-5 * expected.abs().max()


def gradient_norms(case, model, losses):
    """Gradient norms of all trained parameters, under their published names."""
    model.zero_grad()
    sum(losses.values()).backward()
    return {
        case.official_names[name]: parameter.grad.norm().item()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }


def test_stage1_embeddings(case):
    pair = case.stage1.extract_pair(case.inputs)
    assert close(pair.image, case.io['stage1_image_feat'])
    assert close(pair.skeleton, case.io['stage1_skeleton_feat'])


def test_stage1_loss_and_gradients(case):
    losses = case.stage1(case.inputs, case.data_samples, mode='loss')
    expected = case.io['stage1_loss'].item()
    assert losses['loss_contrastive'].item() == pytest.approx(expected, rel=1e-5)
    norms = gradient_norms(case, case.stage1, losses)
    assert norms == pytest.approx(case.meta['stage1_grad_norms'], rel=1e-3, abs=1e-6)


def test_test_feature(case):
    case.stage2.eval()
    with torch.no_grad():
        feature = case.stage2(case.inputs, case.data_samples)
    assert close(feature, case.io['eval_feat'])


def test_stage2_outputs(case):
    case.stage2.train()
    with torch.no_grad():
        outputs = case.stage2.training_outputs(case.inputs, case.data_samples)
        logits = case.stage2.prototype_loss.logits(outputs.features[1], outputs.prototypes)
    for part in range(3):
        assert close(outputs.scores[part], case.io[f'scores{part}'])
        assert close(outputs.features[part], case.io[f'feat{part}'])
    assert close(logits, case.io['prototype_logits'])


def test_stage2_losses_and_gradients(case):
    case.stage2.train()
    losses = case.stage2(case.inputs, case.data_samples, mode='loss')
    parts = case.meta['stage2_split']
    values = {name: loss.item() for name, loss in losses.items()}
    assert values == pytest.approx(
        dict(
            loss_id=0.25 * parts['ID_LOSS'],
            loss_triplet=parts['TRI_LOSS'],
            loss_frame=1.3 * case.io['frame_loss'].item(),
            loss_prototype=parts['CLIP_LOSS'],
        ),
        rel=1e-5,
    )
    assert sum(values.values()) == pytest.approx(case.io['total_loss'].item(), rel=1e-5)
    norms = gradient_norms(case, case.stage2, losses)
    assert norms == pytest.approx(case.meta['stage2_grad_norms'], rel=1e-3, abs=1e-6)


def test_repaired_skeleton_tokens_change_the_loss(case):
    case.stage2.train()
    scrambled = case.stage2(case.inputs, case.data_samples, mode='loss')
    case.stage2.temporal.scrambled_skeletons = False
    repaired = case.stage2(case.inputs, case.data_samples, mode='loss')
    case.stage2.temporal.scrambled_skeletons = True
    assert abs(scrambled['loss_triplet'] - repaired['loss_triplet']) > 1e-3
