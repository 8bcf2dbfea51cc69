import pytest
import torch

from csipreid.models.clip_chunks import clip_chunks, join_clips
from csipreid.structures import ReIDDataSample


def batch(*counts):
    """Tracklets of so many clips; 0 is one clip without an axis of its own."""
    value = iter(range(100))

    def tensor(count, *shape):
        clips = [torch.full(shape, float(next(value))) for _ in range(max(1, count))]
        return torch.stack(clips) if count else clips[0]

    return dict(
        inputs=dict(frames=[tensor(count, 2, 3, 4, 4) for count in counts]),
        data_samples=[
            ReIDDataSample(camid=camid, num_clips=max(1, count), frame_paths=['a'])
            for camid, count in enumerate(counts)
        ],
    )


def test_chunks_hold_every_clip_once_and_in_order():
    chunks = list(clip_chunks(batch(3, 0, 2), 4))
    frames = [[clip[0, 0, 0, 0].item() for clip in chunk['inputs']['frames']] for chunk in chunks]
    assert frames == [[0, 1, 2, 3], [4, 5]]
    assert all(clip.shape == (2, 3, 4, 4) for c in chunks for clip in c['inputs']['frames'])


def test_each_clip_is_a_sample_of_its_tracklet():
    chunks = list(clip_chunks(batch(3, 0, 2), 4))
    samples = [sample for chunk in chunks for sample in chunk['data_samples']]
    assert [sample.camid for sample in samples] == [0, 0, 0, 1, 2, 2]
    assert {sample.num_clips for sample in samples} == {1}


def test_skeletons_and_their_mask_follow_their_clip():
    data = batch(2, 0)
    data['inputs']['skeletons'] = [torch.arange(2.0).view(2, 1, 1, 1), torch.full((1, 1, 1), 2.0)]
    data['data_samples'][0].skeleton_valid = torch.tensor([[True], [False]])
    data['data_samples'][1].skeleton_valid = torch.tensor([True])
    chunks = list(clip_chunks(data, 1))
    assert [chunk['inputs']['skeletons'][0].tolist() for chunk in chunks] == [
        [[[0.0]]],
        [[[1.0]]],
        [[[2.0]]],
    ]
    masks = [chunk['data_samples'][0].skeleton_valid.tolist() for chunk in chunks]
    assert masks == [[True], [False], [True]]


def test_wrong_number_of_clips_is_named():
    data = batch(3)
    data['data_samples'][0].num_clips = 2
    with pytest.raises(ValueError, match='add up to 2, but the batch has 3'):
        list(clip_chunks(data, 4))


def clip(value, has_skeleton=None):
    sample = ReIDDataSample(embedding=torch.tensor([value]), image_embedding=torch.tensor([-value]))
    if has_skeleton is not None:
        sample.has_skeleton = has_skeleton
        sample.skeleton_embedding = torch.tensor([10 * value * has_skeleton])
    return sample


def test_tracklets_get_the_means_of_their_clips():
    tracklets = [ReIDDataSample(num_clips=2), ReIDDataSample(num_clips=1)]
    join_clips(tracklets, [clip(1.0), clip(2.0), clip(5.0)])
    assert [sample.embedding.item() for sample in tracklets] == [1.5, 5.0]
    assert [sample.image_embedding.item() for sample in tracklets] == [-1.5, -5.0]


def test_skeletons_are_averaged_over_the_clips_that_have_one():
    tracklets = [ReIDDataSample(num_clips=3), ReIDDataSample(num_clips=1)]
    join_clips(tracklets, [clip(1.0, True), clip(2.0, False), clip(4.0, True), clip(3.0, False)])
    assert [sample.has_skeleton for sample in tracklets] == [True, False]
    assert [sample.skeleton_embedding.item() for sample in tracklets] == [25.0, 0.0]
