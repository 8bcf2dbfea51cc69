import pytest
import torch

from csipreid.models.reid_model import ReIDModel
from csipreid.structures import ReIDDataSample


class MeanColor(ReIDModel):
    """Embeds a clip by its mean colour."""

    def extract_feat(self, inputs, data_samples=None):
        return inputs['frames'].mean(dim=(1, 3, 4))

    def loss(self, inputs, data_samples):
        return dict(loss=inputs['frames'].mean())


def test_embedding_of_a_tracklet_is_the_mean_over_its_clips():
    frames = torch.arange(3.0).view(3, 1, 1, 1, 1).expand(3, 2, 3, 4, 5)
    samples = [ReIDDataSample(num_clips=2), ReIDDataSample(num_clips=1)]
    results = MeanColor()(dict(frames=frames), samples, mode='predict')
    assert [sample.embedding.tolist() for sample in results] == [[0.5] * 3, [2.0] * 3]


@pytest.mark.parametrize('step', ['test_step', 'val_step'])
def test_memory_of_testing_is_bounded_by_clips(step):
    model = MeanColor(dict(type='ReIDDataPreprocessor', mean=[0] * 3, std=[1] * 3))
    model.max_clips = 4
    seen = []
    model.data_preprocessor.register_forward_hook(
        lambda module, inputs, output: seen.append(len(output['inputs']['frames']))
    )
    frames = torch.arange(115, dtype=torch.uint8)[:, None, None, None, None]
    batch = dict(  # 920 frames in clips of 8, and a short tracklet
        inputs=dict(frames=[frames.expand(115, 8, 3, 4, 2), frames[7].expand(8, 3, 4, 2)]),
        data_samples=[ReIDDataSample(pid=1, num_clips=115), ReIDDataSample(pid=2, num_clips=1)],
    )
    results = getattr(model, step)(batch)
    assert seen == [4] * 29
    assert [sample.embedding.tolist() for sample in results] == [[57.0] * 3, [7.0] * 3]
    assert [sample.pid for sample in results] == [1, 2]


def test_tensor_mode_needs_no_samples():
    assert MeanColor()(dict(frames=torch.zeros(2, 1, 3, 4, 5))).shape == (2, 3)


def test_preprocessor_is_built_by_its_name():
    model = MeanColor(dict(type='ReIDDataPreprocessor', mean=[0] * 3, std=[1] * 3))
    assert type(model.data_preprocessor).__name__ == 'ReIDDataPreprocessor'


def test_unknown_mode_is_named():
    with pytest.raises(ValueError, match="got 'train'"):
        MeanColor()(dict(frames=torch.zeros(1, 1, 3, 4, 5)), mode='train')


def test_missing_samples_are_named():
    with pytest.raises(ValueError, match="mode 'loss' needs data_samples"):
        MeanColor()(dict(frames=torch.zeros(1, 1, 3, 4, 5)), mode='loss')
