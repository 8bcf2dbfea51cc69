import numpy as np
import pytest

from csipreid.registry import TRANSFORMS
from csipreid.skeletons import get_layout


def test_chosen_frames_are_taken_and_empty_ones_marked():
    sequence = np.arange(1, 6, dtype=np.float32)[:, None, None] * np.ones((1, 20, 3), np.float32)
    sequence[2] = 0
    results = dict(sequence=sequence, frame_inds=np.array([[4, 2], [0, 0]]), layout='kinect20')
    results = TRANSFORMS.build(dict(type='TakeSkeletons')).transform(results)
    assert results['skeletons'][:, 0, 0].tolist() == [5, 0, 1, 1]
    assert results['skeleton_valid'].tolist() == [True, False, True, True]


def test_other_joints_are_refused():
    results = dict(sequence=np.ones((2, 18, 3)), frame_inds=np.arange(2), layout='kinect20')
    with pytest.raises(ValueError, match=r"'kinect20' must be \(n, 20, 3\)"):
        TRANSFORMS.build(dict(type='TakeSkeletons')).transform(results)


@pytest.mark.parametrize('layout', ['kinect20', 'kinect25', 'casia14', 'ucalgary18'])
def test_joints_of_the_same_name_keep_their_place(layout):
    source, target = get_layout(layout), get_layout('h36m')
    skeletons = np.random.default_rng(0).normal(size=(2, source.num_joints, 3)).astype(np.float32)
    results = dict(skeletons=skeletons, layout=layout)
    results = TRANSFORMS.build(dict(type='MapSkeletons')).transform(results)
    assert results['layout'] == 'h36m'
    assert results['skeletons'].shape == (2, 17, 3)
    for joint in ('left_knee', 'right_wrist'):
        np.testing.assert_allclose(
            results['skeletons'][:, target.joints.index(joint)],
            skeletons[:, source.joints.index(joint)],
            rtol=1e-5,
        )
