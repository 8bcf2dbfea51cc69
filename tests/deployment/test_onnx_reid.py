import numpy as np
import pytest
import torch

from csipreid.apis import VideoReIDInferencer
from csipreid.deployment import OnnxReID

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
SETTINGS = dict(mean=(10, 20, 30), std=(1, 2, 4))


@pytest.fixture
def channel_means(tmp_path):
    """A network of another origin: the mean of each channel of a frame, two at a time."""
    node = onnx.helper.make_node('ReduceMean', ['images'], ['out'], axes=[2, 3], keepdims=0)
    image, out = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (('images', [2, 3, 4, 2]), ('out', [2, 3]))
    )
    graph = onnx.helper.make_graph([node], 'means', [image], [out])
    model = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid('', 13)], ir_version=8
    )
    path = tmp_path / 'means.onnx'
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(('color', 'expected'), [('rgb', [90, 90, 67.5]), ('bgr', [67.5, 90, 90])])
def test_frames_are_normalised_ordered_and_averaged(channel_means, color, expected):
    model = OnnxReID(channel_means, dict(SETTINGS, color=color, clip_len=3))
    clips = torch.tensor([100.0, 200.0, 300.0]).view(3, 1, 1).expand(1, 3, 3, 4, 2).clone()
    clips[0, :, 0] += torch.tensor([-3.0, 0.0, 3.0]).view(3, 1, 1)  # means to the same
    inputs = model.data_preprocessor(dict(inputs=dict(frames=clips)))['inputs']
    assert model.extract_feat(inputs).tolist() == [pytest.approx(expected)]


def test_an_inferencer_takes_the_file_and_its_size(channel_means):
    search = VideoReIDInferencer(channel_means, settings=SETTINGS)
    frames = np.random.default_rng(0).integers(31, 256, (5, 9, 7, 3), np.uint8)
    assert search([frames, frames[:1]]).shape == (2, 3)
    assert search.settings.input_size == (4, 2)


def test_settings_change_the_fingerprint(channel_means):
    one, other = (
        OnnxReID(channel_means, dict(SETTINGS, color=color)).fingerprint for color in ('rgb', 'bgr')
    )
    assert one != other


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (None, 'does not tell mean, std'),
        (dict(SETTINGS, std=(0, 1, 1)), 'std must be positive'),
        (dict(SETTINGS, colour='rgb'), "no setting 'colour'"),
        (dict(SETTINGS, color='gbr'), 'color must be one of'),
        (dict(SETTINGS, input_size=(8, 4)), r'takes frames of \(4, 2\)'),
        (dict(SETTINGS, clip_len=0), 'clip_len must be in 1'),
    ],
)
def test_settings_that_cannot_be_are_named(channel_means, settings, message):
    with pytest.raises(ValueError, match=message):
        OnnxReID(channel_means, settings)


def test_what_is_no_graph_is_named(tmp_path):
    path = tmp_path / 'page.onnx'
    path.write_text('<!doctype html>')
    with pytest.raises(ValueError, match=r'no ONNX file .* HTML page'):
        OnnxReID(path)
    with pytest.raises(FileNotFoundError):
        OnnxReID(tmp_path / 'none.onnx')


def test_it_stands_alone(channel_means):
    with pytest.raises(ValueError, match='give it alone'):
        VideoReIDInferencer(channel_means, 'weights.pth')
