import numpy as np
import pytest

from csipreid.skeletons import get_layout, list_layouts, mapping_matrix, to_h36m

# A person of 1 m, upright: heights of the joints that the layouts name.
HEIGHTS = dict(shoulder=0.818, nose=0.905, eye=0.936, ear=0.936, hip=0.53, knee=0.285, ankle=0.04)


def standing(layout):
    """Place the joints of a person of 1 m: x to the person's left, y up, z to the front."""
    joints = np.zeros((get_layout(layout).num_joints, 3))
    for row, name in enumerate(get_layout(layout).joints):
        side = 0.1 * (name.startswith('left_') - name.startswith('right_'))
        part = name.split('_')[-1]
        joints[row] = side, HEIGHTS.get(part, 0.6), 0
    return joints


def joint(skeleton, name):
    return skeleton[get_layout('h36m').joints.index(name)]


@pytest.mark.parametrize('layout', list_layouts())
def test_a_translation_stays_a_translation(layout):
    assert mapping_matrix(layout).sum(axis=1) == pytest.approx(np.ones(17))


@pytest.mark.parametrize('layout', list_layouts())
def test_mirroring_before_or_after_is_the_same(layout):
    source, target = get_layout(layout), get_layout('h36m')
    skeleton = np.random.default_rng(0).normal(size=(source.num_joints, 3))
    mirrored = to_h36m(skeleton[list(source.flip_order)], layout)
    assert mirrored == pytest.approx(to_h36m(skeleton, layout)[list(target.flip_order)])


@pytest.mark.parametrize('layout', list_layouts())
@pytest.mark.parametrize('name', ['left_knee', 'right_wrist', 'left_shoulder', 'right_hip'])
def test_joints_of_the_same_name_are_taken(layout, name):
    source = get_layout(layout)
    skeleton = np.random.default_rng(0).normal(size=(source.num_joints, 3))
    assert joint(to_h36m(skeleton, layout), name).tolist() == pytest.approx(
        skeleton[source.joints.index(name)].tolist()
    )


@pytest.mark.parametrize('layout', ['coco', 'blazepose'])
def test_the_top_of_the_head_is_at_full_height(layout):
    skeleton = to_h36m(standing(layout), layout)
    assert joint(skeleton, 'head')[1] == pytest.approx(1)
    assert joint(skeleton, 'neck')[1] == pytest.approx(0.905)
    assert joint(skeleton, 'thorax').tolist() == pytest.approx([0, 0.818, 0])
    assert joint(skeleton, 'pelvis').tolist() == pytest.approx([0, 0.53, 0])
    assert joint(skeleton, 'spine').tolist() == pytest.approx([0, 0.674, 0])


@pytest.mark.parametrize(('layout', 'height'), [('kinect20', 0.936), ('kinect25', 0.936)])
def test_kinects_head_is_below_the_top(layout, height):
    source = get_layout(layout)
    skeleton = np.zeros((source.num_joints, 3))
    skeleton[source.joints.index('thorax'), 1] = 0.818
    skeleton[source.joints.index('head'), 1] = height
    mapped = to_h36m(skeleton, layout)
    assert joint(mapped, 'head')[1] == pytest.approx(1)
    assert joint(mapped, 'neck')[1] == pytest.approx(0.905)


def test_h36m_stays_as_it_is():
    skeletons = np.random.default_rng(0).normal(size=(4, 17, 3)).astype(np.float32)
    assert np.array_equal(to_h36m(skeletons, 'h36m'), skeletons)


def test_leading_axes_and_type_stay():
    mapped = to_h36m(np.zeros((2, 5, 24, 3), np.float32), 'smpl')
    assert mapped.shape == (2, 5, 17, 3)
    assert mapped.dtype == np.float32


def test_a_wrong_number_of_joints_is_named():
    with pytest.raises(ValueError, match=r"'smpl' has 24 joints, got skeletons of shape \(17, 3\)"):
        to_h36m(np.zeros((17, 3)), 'smpl')
