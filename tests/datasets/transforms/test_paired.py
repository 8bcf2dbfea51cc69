import numpy as np
import pytest

from csipreid.registry import TRANSFORMS
from csipreid.skeletons import get_layout

JOINTS = get_layout('h36m').joints


def flip(seed=0, prob=1.0, skeletons=None, **kwargs):
    transform = TRANSFORMS.build(dict(type='FlipClip', prob=prob, **kwargs))
    frames = np.random.default_rng(5).integers(256, size=(3, 4, 6, 3), dtype=np.uint8)
    results = dict(frames=frames, rng=np.random.default_rng(seed))
    if skeletons is not None:
        results |= dict(skeletons=skeletons, layout='h36m')
    return frames, transform(results)


def walker(raised):
    """A standing person at x = 2 m who raises one hand; x to the right of the image."""
    skeleton = np.zeros((1, 17, 3), np.float32)
    sides = dict(left=0.2, right=-0.2)  # seen from the front, the left hand is on the right
    for index, joint in enumerate(JOINTS):
        side = joint.split('_')[0]
        skeleton[0, index] = (2 + sides.get(side, 0), -1.0, 3.0)
    skeleton[0, JOINTS.index(f'{raised}_wrist'), 1] = -2.0
    return skeleton


def test_all_frames_are_mirrored_left_to_right():
    frames, results = flip()
    assert np.array_equal(results['frames'], frames[:, :, ::-1])


def test_mirror_of_a_raised_left_hand_is_a_raised_right_hand():
    _, results = flip(skeletons=walker('left'))
    assert np.allclose(results['skeletons'], walker('right'), atol=1e-6)


def test_each_joint_lands_where_the_mirrored_pixel_is():
    # The joint that a mirror shows at -x about the root is the one of the other side.
    skeletons = np.random.default_rng(0).normal(size=(3, 17, 3)).astype(np.float32)
    _, results = flip(skeletons=skeletons)
    for index, joint in enumerate(JOINTS):
        swap = {'left': 'right', 'right': 'left'}
        side, _, part = joint.partition('_')
        other = JOINTS.index(f'{swap[side]}_{part}') if side in swap else index
        expected = skeletons[:, other].copy()
        expected[:, 0] = 2 * skeletons[:, 0, 0] - expected[:, 0]
        assert np.allclose(results['skeletons'][:, index], expected, atol=1e-6)


def test_two_mirrors_give_the_skeleton_back():
    skeletons = np.random.default_rng(0).normal(size=(3, 17, 3)).astype(np.float32)
    _, once = flip(skeletons=skeletons)
    _, twice = flip(skeletons=once['skeletons'])
    assert np.allclose(twice['skeletons'], skeletons, atol=1e-6)


def test_a_frame_without_skeleton_stays_zero():
    _, results = flip(skeletons=np.zeros((3, 17, 3), np.float32))
    assert not results['skeletons'].any()


def test_published_way_leaves_the_skeletons():
    skeletons = walker('left')
    frames, results = flip(skeletons=skeletons.copy(), mirror_skeletons=False)
    assert np.array_equal(results['skeletons'], skeletons)
    assert np.array_equal(results['frames'], frames[:, :, ::-1])


def test_the_input_is_not_written_to():
    skeletons = walker('left')
    before = skeletons.copy()
    flip(skeletons=skeletons)
    assert np.array_equal(skeletons, before)


def test_clips_are_flipped_with_the_probability():
    flips = [flip(seed, prob=0.3)[1]['flip'] for seed in range(1000)]
    assert np.mean(flips) == pytest.approx(0.3, abs=0.05)


def test_an_unflipped_clip_is_left_alone():
    frames, results = flip(prob=0.0)
    assert results['frames'] is frames
    assert results['flip'] is False


def test_rejects_an_impossible_probability():
    with pytest.raises(ValueError, match=r'prob must be in \[0, 1\], got -1'):
        flip(prob=-1)
