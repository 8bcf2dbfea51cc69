import pytest

from csipreid.skeletons import get_layout, list_layouts


@pytest.fixture
def h36m():
    return get_layout('h36m')


def test_h36m_has_17_joints_and_a_tree_of_16_bones(h36m):
    assert h36m.num_joints == 17
    reached = {h36m.root}
    for parent, child in h36m.bones:
        assert parent in reached
        assert child not in reached
        reached.add(child)
    assert reached == set(range(17))


def test_h36m_is_in_the_order_of_the_published_files(h36m):
    assert h36m.bones == (
        *((0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6), (0, 7), (7, 8), (8, 9), (9, 10)),
        *((8, 11), (11, 12), (12, 13), (8, 14), (14, 15), (15, 16)),
    )
    assert h36m.flip_pairs == ((4, 1), (5, 2), (6, 3), (11, 14), (12, 15), (13, 16))


NUM_JOINTS = dict(
    h36m=17, coco=17, blazepose=33, smpl=24, kinect20=20, kinect25=25, casia14=14, ucalgary18=18
)


def test_all_layouts_of_the_field_are_known():
    assert list_layouts() == list(NUM_JOINTS)


@pytest.mark.parametrize('name', NUM_JOINTS)
def test_bones_are_a_tree_from_the_root(name):
    layout = get_layout(name)
    assert layout.num_joints == len(set(layout.joints)) == NUM_JOINTS[name]
    children = [child for _, child in layout.bones]
    assert sorted([*children, layout.root]) == list(range(layout.num_joints))
    reached = {layout.root}
    for _ in layout.bones:
        reached |= {child for parent, child in layout.bones if parent in reached}
    assert reached == set(range(layout.num_joints))


@pytest.mark.parametrize('name', NUM_JOINTS)
def test_the_mirrored_tree_is_the_same_tree(name):
    layout = get_layout(name)
    order = layout.flip_order
    mirrored = {(order[parent], order[child]) for parent, child in layout.bones}
    assert mirrored == set(layout.bones)
    assert order[layout.root] == layout.root


@pytest.mark.parametrize('name', NUM_JOINTS)
def test_every_side_has_its_partner(name):
    layout = get_layout(name)
    sides = sum(joint.startswith(('left_', 'right_')) for joint in layout.joints)
    assert 2 * len(layout.flip_pairs) == sides


def test_kinect20_has_the_bones_of_the_skeleton_only_sets():
    pairs = '3-2 2-8 8-9 9-10 10-11 2-4 4-5 5-6 6-7 2-1 1-0 0-16 16-17 17-18 18-19 0-12 12-13 13-14'
    expected = {frozenset(map(int, pair.split('-'))) for pair in [*pairs.split(), '14-15']}
    assert {frozenset(bone) for bone in get_layout('kinect20').bones} == expected


def test_flip_pairs_join_the_two_sides(h36m):
    for left, right in h36m.flip_pairs:
        assert h36m.joints[left].removeprefix('left_') == h36m.joints[right].removeprefix('right_')


def test_flip_order_is_its_own_inverse(h36m):
    order = h36m.flip_order
    assert [order[index] for index in order] == list(range(17))
    assert order[1] == 4
    assert order[16] == 13
    assert order[0] == 0


def test_unknown_layout_is_named():
    with pytest.raises(ValueError, match="unknown layout 'openpose'"):
        get_layout('openpose')


def test_registered_layout_is_known_and_checked(monkeypatch):
    from csipreid.skeletons import layouts, register_layout

    monkeypatch.setattr(layouts, '_LAYOUTS', dict(layouts._LAYOUTS))  # known here alone

    joints, bones = ('hip', 'left_toe', 'right_toe'), (('hip', 'left_toe'), ('hip', 'right_toe'))
    layout = register_layout('three_joints', joints, bones, 'hip')
    assert (
        get_layout('three_joints')
        == layout
        == register_layout('three_joints', joints, bones, 'hip')
    )
    assert layout.flip_order == (0, 2, 1)
    for change, message in (
        (dict(joints=('hip', 'left_toe')), "no joint 'right_toe'"),
        (dict(bones=bones[:1]), "no bone leads to 'right_toe'"),
        (dict(bones=(('left_toe', 'hip'), *bones)), 'root outwards'),
        (dict(root='head'), 'the root among them'),
        (dict(name='h36m'), "another layout 'h36m'"),
    ):
        given = dict(name='new_layout', joints=joints, bones=bones, root='hip') | change
        with pytest.raises(ValueError, match=message):
            register_layout(**given)
