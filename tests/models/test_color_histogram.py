import pytest
import torch

from csipreid.registry import MODELS
from csipreid.structures import ReIDDataSample


def build(**kwargs):
    return MODELS.build(dict(type='ColorHistogramReID', **kwargs))


def plain_clip(*colors):
    """One frame of equally high stripes, each of one RGB colour: (1, 1, 3, H, W)."""
    rows = torch.tensor(colors, dtype=torch.float32)  # (stripes, 3)
    return rows.T[None, None, :, :, None].repeat_interleave(2, dim=3).expand(1, 1, 3, -1, 4)


def test_each_stripe_counts_its_own_joint_color():
    model = build(num_bins=2, num_stripes=2)
    feature = model(dict(frames=plain_clip((255, 0, 0), (0, 127, 128))))
    assert feature.shape == (1, 16)
    # Bin of a colour: 4 red + 2 green + blue, then 8 bins per stripe.
    assert feature[0].nonzero().flatten().tolist() == [4, 8 + 1]
    assert feature[0, 4].item() == pytest.approx(0.5**0.5)


def test_embedding_has_unit_length_on_a_still_clip():
    frames = torch.randint(0, 256, (1, 1, 3, 12, 6)).float().expand(1, 3, -1, -1, -1)
    assert build()(dict(frames=frames)).norm().item() == pytest.approx(1, abs=1e-5)


def test_feature_is_the_mean_over_frames():
    frames = torch.randint(0, 256, (2, 3, 3, 12, 6)).float()
    model = build(num_bins=4, num_stripes=3)
    singles = torch.stack([model(dict(frames=frames[:, [t]])) for t in range(3)])
    torch.testing.assert_close(model(dict(frames=frames)), singles.mean(dim=0))


def test_prediction_through_the_preprocessor():
    model = build(data_preprocessor=dict(type='ReIDDataPreprocessor', mean=[0] * 3, std=[1] * 3))
    clip = torch.randint(0, 256, (2, 3, 12, 6), dtype=torch.uint8)
    batch = model.data_preprocessor(
        dict(inputs=dict(frames=[clip]), data_samples=[ReIDDataSample()])
    )
    assert model(**batch, mode='predict')[0].embedding.shape == (6 * 8**3,)


def test_normalized_frames_are_refused():
    with pytest.raises(ValueError, match=r'got \[-1, 2\].*mean=\[0, 0, 0\]'):
        build()(dict(frames=torch.tensor([-1.0, 2.0, 0.0]).view(1, 1, 3, 1, 1)))


def test_there_is_nothing_to_train():
    with pytest.raises(ValueError, match='nothing to train'):
        build()(dict(frames=torch.zeros(1, 1, 3, 6, 6)), [ReIDDataSample()], mode='loss')


def test_rejects_no_stripes():
    with pytest.raises(ValueError, match='got 8 and 0'):
        build(num_stripes=0)
