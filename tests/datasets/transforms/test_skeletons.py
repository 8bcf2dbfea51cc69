import numpy as np
import pytest

from csipreid.registry import TRANSFORMS


def center(skeletons):
    transform = TRANSFORMS.build(dict(type='CenterSkeletons'))
    return transform(dict(skeletons=skeletons, layout='h36m'))['skeletons']


def test_root_of_each_frame_is_the_origin():
    skeletons = np.random.default_rng(0).normal(size=(4, 17, 3)).astype(np.float32)
    assert not center(skeletons)[:, 0].any()


def test_only_the_position_changes():
    skeletons = np.random.default_rng(0).normal(size=(4, 17, 3)).astype(np.float32)
    bones = center(skeletons)[:, 1:] - center(skeletons)[:, :-1]
    assert np.allclose(bones, np.diff(skeletons, axis=1), atol=1e-6)


def test_a_frame_without_skeleton_stays_zero():
    skeletons = np.ones((2, 17, 3), np.float32)
    skeletons[1] = 0
    assert not center(skeletons)[1].any()


def test_skeletons_stay_float32():
    assert center(np.ones((2, 17, 3), np.float32)).dtype == np.float32


def transformed(kind, skeletons, seed=0, **kwargs):
    transform = TRANSFORMS.build(dict(type=kind, **kwargs))
    results = dict(skeletons=skeletons, layout='h36m', rng=np.random.default_rng(seed))
    return transform(results)['skeletons']


def centred(num_frames=3):
    skeletons = np.random.default_rng(1).normal(size=(num_frames, 17, 3)).astype(np.float32)
    return skeletons - skeletons[:, :1]


def test_a_turned_clip_keeps_heights_and_distances_from_the_vertical():
    skeletons = centred()
    turned = transformed('RotateSkeletons', skeletons)
    assert np.allclose(turned[..., 1], skeletons[..., 1])
    assert np.allclose(
        np.hypot(turned[..., 0], turned[..., 2]), np.hypot(skeletons[..., 0], skeletons[..., 2])
    )
    assert not np.allclose(turned[..., 0], skeletons[..., 0], atol=0.1)
    assert turned.dtype == np.float32


def test_all_frames_of_a_clip_turn_by_the_same_angle():
    skeletons = np.repeat(centred(1), 4, axis=0)
    turned = transformed('RotateSkeletons', skeletons)
    assert np.allclose(turned, turned[:1])


def test_a_turn_is_a_proper_rotation_and_no_mirror():
    axes = np.zeros((1, 17, 3), np.float32)
    axes[0, 1:4] = np.eye(3)
    turned = transformed('RotateSkeletons', axes)[0, 1:4]
    assert np.linalg.det(turned) == pytest.approx(1, abs=1e-5)


def test_the_angle_is_bounded():
    point = np.zeros((1, 17, 3), np.float32)
    point[0, 1] = (1, 0, 0)
    angles = []
    for seed in range(50):
        x, _, z = transformed('RotateSkeletons', point, seed=seed, angle=0.5)[0, 1]
        angles.append(abs(np.arctan2(z, x)))
    assert 0.3 < max(angles) <= 0.5


def test_jitter_has_the_configured_size():
    skeletons = np.zeros((200, 17, 3), np.float32)
    moved = transformed('JitterSkeletons', skeletons, std=0.02)
    assert moved.std() == pytest.approx(0.02, rel=0.05)
    assert moved.dtype == np.float32


def test_mirroring_exchanges_left_and_right_about_the_root():
    skeletons = centred() + 4
    mirrored = transformed('MirrorSkeletons', skeletons, prob=1.0)
    # H36M: joint 3 is the right ankle, 6 the left one, 10 the head.
    assert np.allclose(mirrored[:, 3, 1:], skeletons[:, 6, 1:])
    assert np.allclose(mirrored[:, 3, 0] - 4, 4 - skeletons[:, 6, 0])
    assert np.allclose(mirrored[:, 10, 1:], skeletons[:, 10, 1:])
    assert np.allclose(mirrored[:, 0], skeletons[:, 0])


def test_mirroring_leaves_as_many_clips_as_it_should():
    skeletons = centred()
    same = [
        np.array_equal(transformed('MirrorSkeletons', skeletons, seed=s, prob=0.25), skeletons)
        for s in range(200)
    ]
    assert 0.65 < np.mean(same) < 0.85


@pytest.mark.parametrize(
    ('kind', 'kwargs', 'message'),
    [
        ('RotateSkeletons', dict(angle=4), r'angle must be in \[0, pi\] radians, got 4'),
        ('JitterSkeletons', dict(std=-1), 'std must be at least 0 metres, got -1'),
        ('MirrorSkeletons', dict(prob=2), r'prob must be in \[0, 1\], got 2'),
    ],
)
def test_options_out_of_range_are_named(kind, kwargs, message):
    with pytest.raises(ValueError, match=message):
        TRANSFORMS.build(dict(type=kind, **kwargs))
