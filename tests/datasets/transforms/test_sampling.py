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


def test_even_frames_are_the_middles_of_equal_parts():
    assert sample(16, mode='even', clip_len=4)['frame_inds'].tolist() == [2, 6, 10, 14]
    assert sample(9, mode='even', clip_len=4)['frame_inds'].tolist() == [1, 3, 5, 7]


def test_even_frames_of_a_short_tracklet_repeat_in_order():
    assert sample(3, mode='even')['frame_inds'].tolist() == [0, 0, 0, 1, 1, 2, 2, 2]


@pytest.mark.parametrize('num_frames', [1, 2, 7, 8, 9, 100, 920])
def test_even_frames_mirror_when_time_is_reversed_up_to_rounding(num_frames):
    inds = sample(num_frames, mode='even')['frame_inds']
    assert np.abs((num_frames - 1 - inds[::-1]) - inds).max() <= 1


def test_several_random_clips_have_an_axis_of_their_own():
    results = sample(100, num_clips=3)
    assert results['frame_inds'].shape == (3, 8)
    assert results['num_clips'] == 3


def test_first_of_several_random_clips_is_the_single_one():
    several, single = sample(100, num_clips=3), sample(100)
    assert several['frame_inds'][0].tolist() == single['frame_inds'].tolist()


def test_random_clips_differ_from_one_another_but_not_from_run_to_run():
    first, again = (sample(100, num_clips=2)['frame_inds'] for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], first[1])


@pytest.mark.parametrize('mode', ['first', 'even', 'dense'])
def test_several_clips_need_a_mode_that_draws(mode):
    with pytest.raises(ValueError, match=f'got num_clips 2 with mode {mode!r}'):
        sample(9, mode=mode, num_clips=2)


def test_rejects_no_clips():
    with pytest.raises(ValueError, match='num_clips must be positive, got 0'):
        sample(9, num_clips=0)


def test_number_of_dense_clips_is_told():
    assert sample(17, mode='dense')['num_clips'] == 3


def test_frame_inds_are_int64():
    assert {sample(9, mode=m)['frame_inds'].dtype for m in ('first', 'even', 'dense')} == {
        np.dtype('int64')
    }


def test_unknown_mode_is_named():
    with pytest.raises(ValueError, match="got 'evenly'"):
        sample(9, mode='evenly')


def test_rejects_an_empty_clip():
    with pytest.raises(ValueError, match='clip_len must be positive, got 0'):
        sample(9, clip_len=0)
