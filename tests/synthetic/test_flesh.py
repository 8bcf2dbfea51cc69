from dataclasses import replace

import numpy as np
import pytest

from csipreid.synthetic.flesh import dress
from csipreid.synthetic.gait import walk
from csipreid.synthetic.people import draw_walkers

CYCLES = np.linspace(0, 1, 6)


@pytest.fixture
def walker(rng):
    walker = draw_walkers(rng, 1)[0]
    return replace(walker, outfit=replace(walker.outfit, drape='none', bag='none', long_hair=False))


def flesh(walker):
    return dress(walker, walk(walker.body, walker.gait, CYCLES))


def test_every_joint_is_inside_the_flesh(walker):
    motion = walk(walker.body, walker.gait, CYCLES)
    points = dress(walker, motion).corners.reshape(len(CYCLES), -1, 3)
    low, high = points.min(axis=1), points.max(axis=1)
    assert (motion.joints >= low[:, None] - 0.02).all()
    assert (motion.joints <= high[:, None] + 0.02).all()


def test_girth_makes_wider(walker):
    wide = replace(walker, body=replace(walker.body, girth=walker.body.girth * 1.3))
    spread = [np.ptp(flesh(w).corners[..., 1]) for w in (walker, wide)]
    assert spread[1] > spread[0]


def test_members_of_a_group_are_painted_alike(rng):
    first, second = (flesh(walker).albedo for walker in draw_walkers(rng, 2, group_size=2))
    np.testing.assert_array_equal(np.unique(first, axis=0), np.unique(second, axis=0))


@pytest.mark.parametrize(
    'extra', [dict(drape='skirt'), dict(bag='backpack'), dict(bag='shoulder'), dict(long_hair=True)]
)
def test_clothes_add_faces(walker, extra):
    dressed = replace(walker, outfit=replace(walker.outfit, **extra))
    assert flesh(dressed).corners.shape[1] > flesh(walker).corners.shape[1]


def test_backpack_is_behind(walker):
    packed = replace(walker, outfit=replace(walker.outfit, bag='backpack'))
    behind = [flesh(w).corners[:, :, :, 0].mean() for w in (walker, packed)]
    assert behind[1] < behind[0]


def test_shoulder_bag_hangs_left(walker):
    packed = replace(walker, outfit=replace(walker.outfit, bag='shoulder'))
    leftmost = [flesh(w).corners[:, :, :, 1].mean() for w in (walker, packed)]
    assert leftmost[1] > leftmost[0]
