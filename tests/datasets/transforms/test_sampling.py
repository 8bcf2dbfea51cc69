import json
from pathlib import Path

import numpy as np
import pytest

from csipreid.registry import TRANSFORMS

GOLDEN = json.loads((Path(__file__).parents[2] / 'data/frame_sampling.json').read_text())
LENGTHS = [int(n) for n in GOLDEN]


def sample(num_frames, seed=0, **kwargs):
    transform = TRANSFORMS.build(dict(type='SampleClip', **kwargs))
    return transform(dict(frame_paths=['frame'] * num_frames, rng=np.random.default_rng(seed)))


@pytest.mark.parametrize('num_frames', LENGTHS)
def test_first_frames_are_those_of_the_published_code(num_frames):
    results = sample(num_frames, mode='first')
    assert results['frame_inds'].tolist() == GOLDEN[str(num_frames)]['rrs_test']


@pytest.mark.parametrize('num_frames', LENGTHS)
def test_dense_clips_are_those_of_the_published_code(num_frames):
    results = sample(num_frames, mode='dense')
    assert results['frame_inds'].tolist() == GOLDEN[str(num_frames)]['dense']


@pytest.mark.parametrize('num_frames', LENGTHS)
def test_random_frames_cover_exactly_the_published_segments(num_frames):
    draws = np.stack([sample(num_frames, seed)['frame_inds'] for seed in range(300)])
    drawn = [sorted(set(column)) for column in draws.T.tolist()]
    assert drawn == [sorted(set(s)) for s in GOLDEN[str(num_frames)]['segments']]


def test_segments_draw_independently():
    draws = np.stack([sample(16, seed)['frame_inds'] % 2 for seed in range(2000)])
    assert np.abs(np.corrcoef(draws.T) - np.eye(8)).max() < 0.1


def test_clip_len_is_free():
    assert sample(10, mode='first', clip_len=3)['frame_inds'].tolist() == [0, 4, 8]


def test_number_of_dense_clips_is_told():
    assert sample(17, mode='dense')['num_clips'] == 3


def test_frame_inds_are_int64():
    assert {sample(9, mode=m)['frame_inds'].dtype for m in ('first', 'dense')} == {
        np.dtype('int64')
    }


def test_unknown_mode_is_named():
    with pytest.raises(ValueError, match="got 'evenly'"):
        sample(9, mode='evenly')


def test_rejects_an_empty_clip():
    with pytest.raises(ValueError, match='clip_len must be positive, got 0'):
        sample(9, clip_len=0)
