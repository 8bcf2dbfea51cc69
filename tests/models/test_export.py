"""The test graph of the real models serves any number of clips."""

import pytest
import torch
from torch import nn

RESNET = dict(
    type='MMPretrainImageEncoder',
    backbone=dict(type='mmpretrain.ResNet', depth=18),
    embed_dim=8,
    image_size=(16, 8),
)
MODELS = dict(
    stage1=('stage1', {}),
    stage2=('stage2', dict(flip_test=True)),
    baseline=('stage2', dict(skeletons=False, temporal=dict(type='MeanPooling'))),
    resnet=('stage2', dict(skeletons=False, image_encoder=RESNET)),
)


class Frames(nn.Module):
    """The test graph alone: frames in, embeddings out."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, frames):
        return self.model(dict(frames=frames))


def export(graph, frames):
    free = {'frames': {0: torch.export.Dim('clips', min=1, max=32)}}
    return torch.export.export(graph, (frames,), dynamic_shapes=free, strict=False).module()


def trace(graph, frames):
    return torch.jit.trace(graph, (frames,), check_trace=False)


@pytest.mark.filterwarnings('ignore')  # of tracing itself
@pytest.mark.parametrize('record', [pytest.param(export, marks=pytest.mark.slow), trace])
@pytest.mark.parametrize('name', MODELS)
def test_the_number_of_clips_is_free(tiny, name, record):
    kind, options = MODELS[name]
    graph = Frames(getattr(tiny, kind)(**options)).eval()
    with torch.no_grad():
        recorded = record(graph, torch.randn(3, 2, 3, 16, 8))
        for count in (1, 7):
            frames = torch.randn(count, 2, 3, 16, 8)
            torch.testing.assert_close(recorded(frames), graph(frames), atol=1e-5, rtol=1e-4)
