"""Walkers: a body, a gait and an outfit; groups of them share the outfit."""

from dataclasses import dataclass, replace

import numpy as np

from csipreid.synthetic.body import BODY_RANGES, Body
from csipreid.synthetic.clothing import Outfit, draw_outfits
from csipreid.synthetic.gait import GAIT_RANGES, Gait
from csipreid.synthetic.traits import draw_traits


@dataclass(frozen=True)
class Walker:
    """One identity.

    Args:
        body: Shape and posture.
        gait: Movement.
        outfit: Clothing, equal for all members of the group.
        group: Number of the group, from 0.
    """

    body: Body
    gait: Gait
    outfit: Outfit
    group: int


def draw_walkers(rng: np.random.Generator, count: int, group_size: int = 4) -> list[Walker]:
    """Draw identities in groups that share their clothing.

    Within a group, bodies and gaits are spread over their whole ranges.

    Args:
        rng: Source of randomness.
        count: Number of identities.
        group_size: Identities per group; the last group may be smaller.

    Returns:
        The identities, group by group.
    """
    outfits = draw_outfits(rng, -(-count // group_size))
    walkers: list[Walker] = []
    for group, outfit in enumerate(outfits):
        bodies = draw_traits(rng, BODY_RANGES, group_size)
        gaits = draw_traits(rng, GAIT_RANGES, group_size)
        walkers += [
            Walker(Body(**body), Gait(**gait), outfit, group)
            for body, gait in zip(bodies, gaits, strict=True)
        ]
    return walkers[:count]


def vary(walker: Walker, rng: np.random.Generator) -> Walker:
    """Change posture and gait a little, as they change from one walk to the next.

    Args:
        walker: The identity.
        rng: Source of randomness.

    Returns:
        The same person on one day; the lengths of the bones stay.
    """
    shift = rng.normal(size=2)
    scale = 1 + 0.04 * np.clip(rng.normal(size=3), -2, 2)
    body = replace(
        walker.body,
        lean=walker.body.lean + 0.012 * shift[0],
        head_drop=walker.body.head_drop + 0.04 * shift[1],
    )
    gait = replace(
        walker.gait,
        cadence=walker.gait.cadence * scale[0],
        hip_swing=walker.gait.hip_swing * scale[1],
        arm_swing=walker.gait.arm_swing * scale[2],
    )
    return replace(walker, body=body, gait=gait)
