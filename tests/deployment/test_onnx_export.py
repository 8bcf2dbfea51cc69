import json

import numpy as np
import pytest
import torch

from csipreid.deployment import FrameSettings, OnnxReID
from csipreid.deployment.onnx_export import compare_onnx, export_onnx, random_clips
from csipreid.deployment.onnx_reid import METADATA_KEY
from csipreid.registry import MODELS

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')

SETTINGS = FrameSettings((16, 8), (120, 110, 100), (60, 70, 80), clip_len=3)
ENCODER = dict(
    type='CLIPVisionTransformer',
    arch=dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32, patch_size=4),
    image_size=(16, 8),
    embed_dim=8,
)


@pytest.fixture(scope='module')
def model():
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='VideoReID',
            num_ids=5,
            num_cams=3,
            image_encoder=ENCODER,
            temporal=dict(type='SkeletonGuidedTemporalModeling', num_heads=2),
            identity_head=dict(type='BNNeckHead'),
            identity_loss=dict(type='IdentityLoss'),
            triplet_loss=dict(type='BatchHardTripletLoss'),
            camera_embedding=dict(type='CameraEmbedding'),
            flip_test=True,
        )
    )
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


@pytest.fixture(scope='module')
def exported(model, tmp_path_factory):
    path = tmp_path_factory.mktemp('onnx') / 'model.onnx'
    export_onnx(model, SETTINGS, path)
    return path


def test_the_file_agrees_with_its_model_in_every_batch_size_and_clip_length(model, exported):
    graph = OnnxReID(exported)
    assert graph.clip_len_free
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (SETTINGS.mean, SETTINGS.std))
    for count, length in [*((n, 3) for n in range(1, 34)), (2, 1), (2, 7)]:
        clips = random_clips(SETTINGS, count, length, True)
        with torch.no_grad():
            expected = model.extract_feat(dict(frames=(clips.float() - mean) / std))
        got = graph.extract_feat(dict(frames=clips.float()))
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=0)


def test_the_file_says_how_it_is_used(exported):
    graph = OnnxReID(exported)
    assert graph.settings == SETTINGS
    assert graph.embedding_parts == dict(image=16, projected=8, temporal=16)
    assert graph.embed_dim == 40
    assert len(graph.fingerprint) == 64


def test_half_precision_and_normalised_frames_agree(model, tmp_path):
    path = tmp_path / 'half.onnx'
    export_onnx(model, SETTINGS, path, half=True, normalize=False)
    agreement = compare_onnx(path, model, SETTINGS, half=True)
    assert agreement.cosine > 0.999


def test_a_corrupted_graph_fails_the_comparison(model, exported, tmp_path):
    content = onnx.load(exported)
    weight = max(content.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = np.frombuffer(weight.raw_data, np.float32).copy()
    values[:5] += 1
    weight.raw_data = values.tobytes()
    broken = tmp_path / 'broken.onnx'
    onnx.save(content, broken)
    with pytest.raises(ValueError, match='differs from its model'):
        compare_onnx(broken, model, SETTINGS)
    assert compare_onnx(exported, model, SETTINGS).difference < 1e-4


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('[', 'settings are broken'),
        ('{}', 'settings are broken'),
        (json.dumps(dict(settings=dict(input_size=[16, 8]))), 'settings are broken'),
    ],
)
def test_broken_metadata_is_named(exported, tmp_path, text, message):
    content = onnx.load(exported)
    (entry,) = (p for p in content.metadata_props if p.key == METADATA_KEY)
    entry.value = text
    path = tmp_path / 'other.onnx'
    onnx.save(content, path)
    with pytest.raises(ValueError, match=message):
        OnnxReID(path)
