import pytest

from csipreid.skeletons import get_layout


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
    with pytest.raises(ValueError, match="unknown layout 'coco'"):
        get_layout('coco')
