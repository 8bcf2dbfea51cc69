from types import SimpleNamespace

import pytest
import torch

from csipreid.models.cross_modal import (
    clip_counts,
    image_embedding,
    labels_of,
    mean_over_clips,
    skeleton_tokens,
)
from csipreid.registry import MODELS
from csipreid.structures import ReIDDataSample


def test_image_embedding_is_the_mean_of_its_frames(tiny):
    encoder = MODELS.build(tiny.image_encoder).eval()
    frames = torch.randn(2, 3, 3, 16, 8)
    embedding = image_embedding(encoder, frames)
    expected = torch.stack([encoder(clip).projected[:, 0].mean(dim=0) for clip in frames])
    torch.testing.assert_close(embedding, expected)


def test_image_embedding_takes_the_global_token_of_any_encoder():
    tokens = torch.randn(6, 5, 4)

    def encoder(frames):
        return SimpleNamespace(projected=tokens)

    embedding = image_embedding(encoder, torch.zeros(2, 3, 3, 16, 8))
    torch.testing.assert_close(embedding, tokens[:, 0].view(2, 3, 4).mean(dim=1))


def test_what_stands_in_a_frame_without_skeleton_is_not_encoded():
    valid = torch.tensor([[True, False]])
    skeletons = torch.ones(1, 2, 17, 3)
    skeletons[0, 1] = torch.nan
    seen, mask = skeleton_tokens(
        torch.nn.Identity(),
        torch.nn.Identity(),
        dict(skeletons=skeletons, skeleton_valid=valid),
    )
    assert seen[0, 0].eq(1).all()
    assert seen[0, 1].eq(0).all()
    assert mask is valid


def test_missing_skeletons_are_named():
    with pytest.raises(ValueError, match='LoadSkeletons'):
        skeleton_tokens(torch.nn.Identity(), torch.nn.Identity(), {})


def test_mean_over_clips_of_each_tracklet():
    embeddings = torch.tensor([[1.0], [3.0], [10.0]])
    assert mean_over_clips(embeddings, [2, 1]).tolist() == [[2.0], [10.0]]


def test_samples_without_num_clips_have_one():
    assert clip_counts([ReIDDataSample(), ReIDDataSample(num_clips=3)], 4) == [1, 3]


def test_clips_that_do_not_add_up_are_named():
    with pytest.raises(ValueError, match='add up to 3, but the batch has 4'):
        clip_counts([ReIDDataSample(num_clips=3)], 4)


@pytest.mark.parametrize(('label', 'message'), [(-1, 'at least 0'), (5, 'below num_ids = 5')])
def test_label_out_of_range_is_named(label, message):
    samples = [ReIDDataSample(label=0), ReIDDataSample(label=label)]
    with pytest.raises(ValueError, match=f'{message}.* got {label}'):
        labels_of(samples, torch.device('cpu'), num_ids=5)
