import numpy as np

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
