import pytest
import torch

from csipreid.registry import MODELS
from csipreid.structures import ReIDDataSample


def build(mean=(10, 20, 30), std=(1, 2, 4)):
    return MODELS.build(dict(type='ReIDDataPreprocessor', mean=mean, std=std))


def collated(clips, skeletons=None, samples=None):
    inputs = dict(frames=clips)
    if skeletons is not None:
        inputs['skeletons'] = skeletons
    return dict(inputs=inputs, data_samples=samples or [ReIDDataSample() for _ in clips])


def test_normalizes_each_channel_by_its_own_numbers():
    clip = torch.tensor([12, 26, 38], dtype=torch.uint8).view(1, 3, 1, 1).expand(2, 3, 4, 5)
    frames = build()(collated([clip, clip]))['inputs']['frames']
    assert frames.shape == (2, 2, 3, 4, 5)
    assert frames.dtype == torch.float32
    torch.testing.assert_close(frames[1, 1, :, 3, 4], torch.tensor([2.0, 3.0, 2.0]))


def test_frames_may_lie_in_memory_as_they_like():
    clips = [torch.randint(256, (2, 4, 5, 3), dtype=torch.uint8).movedim(-1, -3) for _ in range(2)]
    before = [clip.clone() for clip in clips]
    frames = build()(collated(clips))['inputs']['frames']
    mean, std = torch.tensor([10.0, 20, 30]), torch.tensor([1.0, 2, 4])
    expected = (torch.stack(clips).float() - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    assert torch.equal(frames, expected)
    assert frames.is_contiguous()
    assert all(map(torch.equal, clips, before))


def test_all_clips_of_a_tracklet_are_laid_behind_one_another():
    clips = [torch.full((count, 2, 3, 4, 5), 10 * count, dtype=torch.uint8) for count in (2, 1, 3)]
    frames = build((0, 0, 0), (1, 1, 1))(collated(clips))['inputs']['frames']
    assert frames[:, 0, 0, 0, 0].tolist() == [20, 20, 10, 30, 30, 30]


def test_skeletons_carry_their_mask():
    clip = torch.zeros(2, 3, 4, 5, dtype=torch.uint8)
    samples = [
        ReIDDataSample(skeleton_valid=torch.tensor(valid))
        for valid in ([True, False], [True, True])
    ]
    batch = build()(collated([clip, clip], [torch.ones(2, 17, 3)] * 2, samples))
    assert batch['inputs']['skeletons'].shape == (2, 2, 17, 3)
    assert batch['inputs']['skeleton_valid'].tolist() == [[True, False], [True, True]]


def test_skeletons_without_a_mask_are_valid():
    clip = torch.zeros(2, 3, 4, 5, dtype=torch.uint8)
    batch = build()(collated([clip], [torch.ones(2, 17, 3)]))
    assert batch['inputs']['skeleton_valid'].all()


def test_batch_without_skeletons_has_none():
    batch = build()(collated([torch.zeros(2, 3, 4, 5, dtype=torch.uint8)]))
    assert set(batch['inputs']) == {'frames'}


def test_clips_of_different_shape_are_named():
    clips = [torch.zeros(2, 3, 4, 5, dtype=torch.uint8), torch.zeros(2, 3, 4, 6, dtype=torch.uint8)]
    with pytest.raises(ValueError, match=r'frames of a batch .*\(2, 3, 4, 5\), \(2, 3, 4, 6\)'):
        build()(collated(clips))


def test_constants_are_not_in_the_checkpoint():
    assert build().state_dict() == {}


def test_rejects_a_single_mean():
    with pytest.raises(ValueError, match='got 1 and 3'):
        build(mean=(0.5,))


def test_rejects_zero_std():
    with pytest.raises(ValueError, match='std must be positive'):
        build(std=(1, 0, 1))
