import numpy as np

from csipreid.skeletons import get_layout
from csipreid.synthetic.gait import walk
from csipreid.synthetic.people import draw_walkers, vary


def test_groups_share_their_clothing_and_nothing_else(rng):
    people = draw_walkers(rng, 6, group_size=3)
    assert [walker.group for walker in people] == [0, 0, 0, 1, 1, 1]
    assert people[0].outfit == people[2].outfit != people[3].outfit
    assert len({walker.body for walker in people}) == 6
    assert len({walker.gait for walker in people}) == 6


def test_last_group_may_be_smaller(rng):
    assert [walker.group for walker in draw_walkers(rng, 4, group_size=3)] == [0, 0, 0, 1]


def test_members_of_a_group_differ_in_build(rng):
    girths = sorted(walker.body.girth for walker in draw_walkers(rng, 3, group_size=3))
    assert girths[-1] - girths[0] > 0.15


def test_variation_keeps_the_bones(rng):
    walker = draw_walkers(rng, 1)[0]
    cycles = np.linspace(0, 1, 5)
    joints = [walk(w.body, w.gait, cycles).joints for w in (walker, vary(walker, rng))]
    for parent, child in get_layout('h36m').bones:
        first, second = (np.linalg.norm(j[:, child] - j[:, parent], axis=-1) for j in joints)
        np.testing.assert_allclose(first, second)


def test_variation_changes_the_gait(rng):
    walker = draw_walkers(rng, 1)[0]
    assert vary(walker, rng).gait != walker.gait
