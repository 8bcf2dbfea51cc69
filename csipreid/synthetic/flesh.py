"""From joints to a dressed body: the faces that are drawn."""

import numpy as np

from csipreid.skeletons import get_layout
from csipreid.synthetic.body import Body
from csipreid.synthetic.clothing import Outfit
from csipreid.synthetic.faces import Faces, join, tube
from csipreid.synthetic.gait import Motion
from csipreid.synthetic.people import Walker

_INDEX = {name: index for index, name in enumerate(get_layout('h36m').joints)}
_LIMB_SECTORS = 8
_TRUNK_SECTORS = 16


def dress(walker: Walker, motion: Motion) -> Faces:
    """Cover the joints of a walk with limbs, clothes and hair.

    Args:
        walker: Whose shape and clothes to use.
        motion: The poses, in body axes.

    Returns:
        Faces in the axes of the motion.
    """
    body, outfit = walker.body, walker.outfit
    place = {name: motion.joints[:, index] for name, index in _INDEX.items()}
    parts = [_trunk(body, outfit, place), *_head(body, outfit, place)]
    for index, side in enumerate(('right', 'left')):
        parts += _arm(body, outfit, place, side)
        parts += _leg(body, outfit, place, side)
        parts.append(_foot(body, outfit, place, motion, side, index))
    if outfit.drape != 'none':
        parts.append(_drape(body, outfit, place))
    if outfit.bag != 'none':
        parts.append(_bag(body, outfit, place))
    return join(parts)


def _trunk(body: Body, outfit: Outfit, place: dict[str, np.ndarray]) -> Faces:
    """Build the trunk from the crotch to the collar."""
    hips = place['left_hip'] - place['right_hip']
    shoulders = place['left_shoulder'] - place['right_shoulder']
    rise = place['spine'] - place['pelvis']
    chest = place['thorax'] - place['spine']
    thick = body.height * body.girth
    half_hips = body.hip + 0.048 * thick
    half_shoulders = body.shoulder + 0.018 * thick
    depth = 0.058 * body.height * (0.4 + 0.6 * body.belly)
    waist = 0.55 * half_hips + 0.40 * half_shoulders
    knots = [  # centre, share of the shoulders in the leftward direction, width, depth
        (place['pelvis'] - 0.45 * rise, 0.0, 0.55 * half_hips, 0.75 * depth),
        (place['pelvis'] - 0.10 * rise, 0.0, half_hips, 1.08 * depth),
        (place['pelvis'] + 0.45 * rise, 0.2, 0.97 * half_hips, 1.06 * depth),
        (place['spine'], 0.5, waist * (0.75 + 0.25 * body.belly), depth * body.belly),
        (place['spine'] + 0.30 * chest, 0.7, 0.5 * (waist + half_shoulders), 1.05 * depth),
        (place['spine'] + 0.62 * chest, 0.9, 0.92 * half_shoulders, 1.12 * depth),
        (place['spine'] + 0.86 * chest, 1.0, half_shoulders, 0.86 * depth),
        (place['thorax'], 1.0, 0.62 * half_shoulders, 0.62 * depth),
        (place['thorax'] + 0.08 * chest, 1.0, 0.24 * half_shoulders, 0.40 * depth),
    ]
    share = np.array([knot[1] for knot in knots])[:, None]
    return tube(
        centres=np.stack([knot[0] for knot in knots], axis=1),
        lateral=(1 - share) * _unit(hips)[:, None] + share * _unit(shoulders)[:, None],
        widths=np.array([knot[2] for knot in knots]),
        depths=np.array([knot[3] for knot in knots]),
        albedo=_trunk_colours(outfit, pieces=len(knots) - 1),
    )


def _trunk_colours(outfit: Outfit, pieces: int) -> np.ndarray:
    """Paint trousers and the pattern of the upper garment, (pieces, S, 3)."""
    colours = np.empty((pieces, _TRUNK_SECTORS, 3))
    colours[:] = outfit.top
    facing = np.sin(2 * np.pi * (np.arange(_TRUNK_SECTORS) + 0.5) / _TRUNK_SECTORS)  # 1: front
    if outfit.pattern == 'stripes':
        colours[1::2] = outfit.accent
    elif outfit.pattern == 'blocks':
        colours[4:] = outfit.accent
    elif outfit.pattern == 'open':
        colours[:, facing > 0.8] = outfit.accent
    elif outfit.pattern == 'print':
        colours[3:5, np.abs(facing) > 0.6] = outfit.accent
    colours[:2] = outfit.around_legs
    return colours


def _head(body: Body, outfit: Outfit, place: dict[str, np.ndarray]) -> list[Faces]:
    """Build neck, head and hair."""
    shoulders = place['left_shoulder'] - place['right_shoulder']
    thorax, neck, crown = place['thorax'], place['neck'], place['head']
    lateral = shoulders[:, None]
    axis = crown - neck
    throat = 0.031 * body.height * (0.5 + 0.5 * body.girth)
    collar = tube(
        centres=_along(thorax, neck, [-0.1, 0.5, 1.2]),
        lateral=lateral,
        widths=np.array([1.25, 1.0, 1.0]) * throat,
        depths=np.array([1.15, 1.0, 1.0]) * throat,
        albedo=_plain(outfit.skin, 2, _LIMB_SECTORS),
    )
    size = 0.25 * body.head * body.head_size + 0.030 * body.height
    profile = np.array([0.30, 0.74, 0.98, 1.0, 0.80, 0.15])
    colours = _plain(outfit.hair, 5, 10)
    facing = np.sin(2 * np.pi * (np.arange(10) + 0.5) / 10)
    colours[:3, facing > -0.1] = outfit.skin
    if not outfit.long_hair:
        colours[:1] = outfit.skin
    centres = _along(neck - 0.12 * axis, crown, [0.0, 0.2, 0.45, 0.68, 0.9, 1.05])
    parts = [
        collar,
        tube(centres, lateral, 0.80 * size * profile, 0.98 * size * profile, colours),
    ]
    if outfit.long_hair:
        back = _unit(np.cross(axis, shoulders))  # away from the face
        ends = neck - 0.75 * (neck - thorax) + 0.75 * size * back
        top = neck + 0.75 * axis + 0.35 * size * back
        profile = np.array([0.55, 0.92, 0.92, 0.60])
        parts.append(
            tube(
                centres=_along(ends, top, [0.0, 0.3, 0.8, 1.05]),
                lateral=lateral,
                widths=0.82 * size * profile,
                depths=0.55 * size * profile,
                albedo=_plain(outfit.hair, 3, _LIMB_SECTORS),
            )
        )
    return parts


def _arm(body: Body, outfit: Outfit, place: dict[str, np.ndarray], side: str) -> list[Faces]:
    """Build upper arm, forearm and hand."""
    shoulder, elbow, wrist = (place[f'{side}_{name}'] for name in ('shoulder', 'elbow', 'wrist'))
    thick = 0.029 * body.height * body.girth
    sleeves = outfit.top if outfit.pattern != 'blocks' else outfit.accent
    upper = _limb(
        shoulder, elbow, thick * np.array([1.12, 1.05, 0.86]), sleeves, outfit, outfit.sleeve * 2
    )
    lower = _limb(
        elbow,
        wrist,
        thick * np.array([0.86, 0.84, 0.60]),
        outfit.top,
        outfit,
        outfit.sleeve * 2 - 1,
    )
    ahead = _unit(wrist - elbow) * 0.105 * body.height
    palm = 0.55 * 0.029 * body.height * (0.6 + 0.4 * body.girth)
    hand = tube(
        centres=_along(wrist, wrist + ahead, [-0.1, 0.3, 0.7, 1.0]),
        lateral=_across(ahead)[:, None],
        widths=palm * np.array([0.8, 1.1, 1.0, 0.2]),
        depths=palm * np.array([0.9, 1.5, 1.3, 0.3]),
        albedo=_plain(outfit.skin, 3, 6),
    )
    return [upper, lower, hand]


def _leg(body: Body, outfit: Outfit, place: dict[str, np.ndarray], side: str) -> list[Faces]:
    """Build thigh and shin."""
    hip, knee, ankle = (place[f'{side}_{name}'] for name in ('hip', 'knee', 'ankle'))
    thick = 0.050 * body.height * body.girth
    loose = 1.06 if outfit.leg_cover > 0.9 else 1.0
    thigh = _limb(
        hip,
        knee,
        thick * loose * np.array([1.08, 0.95, 0.70]),
        outfit.around_legs,
        outfit,
        outfit.leg_cover * 2,
    )
    shin = _limb(
        knee,
        ankle,
        thick * loose * np.array([0.70, 0.68, 0.46]),
        outfit.around_legs,
        outfit,
        outfit.leg_cover * 2 - 1,
    )
    return [thigh, shin]


def _limb(
    start: np.ndarray,
    end: np.ndarray,
    radii: np.ndarray,
    cloth: tuple[int, int, int],
    outfit: Outfit,
    covered: float,
) -> Faces:
    """Build a rounded limb; cloth covers the first ``covered`` share of it."""
    reach = np.linalg.norm(end - start, axis=-1).mean()
    first, last = 0.7 * radii[0] / reach, 0.7 * radii[2] / reach
    steps = np.array([-first, 0.0, 0.35, 0.7, 1.0, 1.0 + last])
    sizes = np.interp(steps, [0.0, 0.35, 1.0], radii) * [0.6, 1, 1, 1, 1, 0.6]
    colours = _plain(outfit.skin, 5, _LIMB_SECTORS)
    colours[(steps[:-1] + steps[1:]) / 2 < covered] = cloth
    along = end - start
    return tube(_along(start, end, steps), _across(along)[:, None], sizes, sizes, colours)


def _foot(
    body: Body,
    outfit: Outfit,
    place: dict[str, np.ndarray],
    motion: Motion,
    side: str,
    index: int,
) -> Faces:
    """Build a shoe around heel and toe."""
    heel, toe, ankle = motion.heels[:, index], motion.toes[:, index], place[f'{side}_ankle']
    rise = (ankle - heel) * [0.25, 0.25, 1.0]
    height = 0.032 * body.height
    centres = _along(heel, toe, [-0.1, 0.0, 0.35, 0.75, 1.05]) + height * np.array([0, 0, 0.6])
    centres[:, :3] += 0.25 * rise[:, None]
    return tube(
        centres=centres,
        lateral=np.cross([0.0, 0.0, 1.0], toe - heel)[:, None],
        widths=body.height * np.array([0.012, 0.021, 0.024, 0.027, 0.010]),
        depths=height * np.array([0.6, 1.0, 1.0, 0.7, 0.35]),
        albedo=_plain(outfit.shoes, 4, 6),
    )


def _drape(body: Body, outfit: Outfit, place: dict[str, np.ndarray]) -> Faces:
    """Hang a skirt or the skirts of a coat around the thighs."""
    hips = place['left_hip'] - place['right_hip']
    top = place['pelvis'] + 0.3 * (place['spine'] - place['pelvis'])
    knees = (place['left_knee'] + place['right_knee']) / 2
    gap = np.linalg.norm(place['left_knee'] - place['right_knee'], axis=-1)
    half = body.hip + 0.058 * body.height * body.girth
    steps = np.array([0.0, 0.3, 0.65, 1.0])
    spread = 0.35 * gap[:, None] * steps  # (T, R)
    return tube(
        centres=_along(knees, top, 1 - steps)[:, ::-1],
        lateral=hips[:, None],
        widths=(half * np.array([1.0, 1.05, 1.1, 1.15]) + 0.1 * spread)[:, ::-1],
        depths=((0.052 + 0.030 * body.girth) * body.height + spread)[:, ::-1],
        albedo=_plain(outfit.around_legs, 3, _TRUNK_SECTORS),
    )


def _bag(body: Body, outfit: Outfit, place: dict[str, np.ndarray]) -> Faces:
    """Hang a backpack behind the chest or a bag at the left hip."""
    shoulders = place['left_shoulder'] - place['right_shoulder']
    chest = place['thorax'] - place['spine']
    back = _unit(np.cross(chest, shoulders))
    if outfit.bag == 'backpack':
        low = place['spine'] - 0.35 * chest + 0.105 * body.height * back
        high = place['thorax'] - 0.08 * chest + 0.085 * body.height * back
        width, depth = 0.085 * body.height, 0.050 * body.height
    else:
        beside = place['left_hip'] + _unit(shoulders) * (0.075 * body.height * body.girth)
        reach = np.array([0, 0, 0.07 * body.height])
        low, high = beside - reach, beside + reach
        width, depth = 0.028 * body.height, 0.082 * body.height
    profile = np.array([0.55, 1.0, 1.0, 0.6])
    return tube(
        centres=_along(low, high, [0.0, 0.12, 0.85, 1.0]),
        lateral=shoulders[:, None],
        widths=width * profile,
        depths=depth * profile,
        albedo=_plain(outfit.accent, 3, 10),
    )


def _along(start: np.ndarray, end: np.ndarray, steps: np.ndarray | list[float]) -> np.ndarray:
    """Points on the lines from start to end, (T, R, 3)."""
    return start[:, None] + np.asarray(steps)[:, None] * (end - start)[:, None]


def _across(along: np.ndarray) -> np.ndarray:
    """Leftward direction of a limb, (T, 3)."""
    return np.broadcast_to([0.0, 1.0, 0.0], along.shape)


def _plain(colour: tuple[int, int, int], pieces: int, sectors: int) -> np.ndarray:
    """One colour all over, (pieces, sectors, 3)."""
    return np.tile(np.array(colour, dtype=float), (pieces, sectors, 1))


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Scale to length 1 along the last axis."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
