"""Outfits: what walkers wear."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Colour = tuple[int, int, int]

_FABRICS: tuple[Colour, ...] = (
    (188, 36, 40),
    (40, 74, 160),
    (232, 226, 214),
    (46, 118, 72),
    (226, 172, 44),
    (36, 36, 42),
    (120, 66, 140),
    (222, 120, 52),
    (110, 168, 206),
    (134, 136, 140),
    (214, 128, 156),
    (104, 72, 48),
    (28, 132, 138),
    (150, 160, 92),
)
_TROUSERS: tuple[Colour, ...] = (
    (40, 56, 96),
    (30, 30, 36),
    (150, 128, 96),
    (108, 110, 116),
    (84, 58, 44),
    (206, 200, 188),
    (72, 84, 60),
    (92, 120, 158),
)
_HAIR: tuple[Colour, ...] = (
    (28, 22, 20),
    (74, 48, 30),
    (150, 112, 64),
    (120, 118, 116),
    (118, 54, 30),
)
_SKIN: tuple[Colour, ...] = ((236, 196, 170), (214, 164, 130), (168, 116, 84), (104, 70, 50))
_SHOES: tuple[Colour, ...] = ((32, 30, 30), (226, 224, 220), (120, 78, 46), (150, 40, 44))

Pattern = Literal['plain', 'stripes', 'blocks', 'open', 'print']
PATTERNS: tuple[Pattern, ...] = ('plain', 'stripes', 'blocks', 'open', 'print')


@dataclass(frozen=True)
class Outfit:
    """Clothing, hair and bag of a group of people; colours are RGB in [0, 255].

    Args:
        top: Colour of the upper garment.
        accent: Colour of its pattern and of the bag.
        pattern: Plain, horizontal stripes, a second colour on the chest, an
            open front, or a print on the chest.
        sleeve: Covered share of the arm, in [0, 1].
        bottom: Colour of the trousers or of the skirt.
        leg_cover: Covered share of the leg, in [0, 1].
        drape: Whether a skirt, a long coat or nothing hangs around the thighs.
        shoes: Colour of the shoes.
        skin: Colour of the skin.
        hair: Colour of the hair or of the hat.
        long_hair: Whether the hair falls to the shoulders.
        bag: Kind of bag.
    """

    top: Colour
    accent: Colour
    pattern: Pattern
    sleeve: float
    bottom: Colour
    leg_cover: float
    drape: Literal['none', 'skirt', 'coat']
    shoes: Colour
    skin: Colour
    hair: Colour
    long_hair: bool
    bag: Literal['none', 'backpack', 'shoulder']

    @property
    def around_legs(self) -> Colour:
        """Colour of what covers the thighs: trousers, skirt or the skirts of a coat."""
        return self.top if self.drape == 'coat' else self.bottom


def draw_outfits(rng: np.random.Generator, count: int) -> list[Outfit]:
    """Draw outfits whose upper garments differ in colour as long as colours last.

    Args:
        rng: Source of randomness.
        count: Number of outfits.

    Returns:
        The outfits.
    """
    order = np.concatenate(
        [rng.permutation(len(_FABRICS)) for _ in range(1 + count // len(_FABRICS))]
    )
    return [_draw_outfit(rng, int(fabric)) for fabric in order[:count]]


def _draw_outfit(rng: np.random.Generator, fabric: int) -> Outfit:
    """Draw one outfit around the fabric of its upper garment."""
    other = (fabric + int(rng.integers(1, len(_FABRICS)))) % len(_FABRICS)
    drape = rng.choice(['none', 'none', 'none', 'none', 'skirt', 'coat'])
    return Outfit(
        top=_dyed(rng, _FABRICS[fabric]),
        accent=_dyed(rng, _FABRICS[other]),
        pattern=str(rng.choice(PATTERNS)),  # type: ignore[arg-type]
        sleeve=1.0 if drape == 'coat' else float(rng.choice([0.3, 1.0, 1.0])),
        bottom=_dyed(rng, _pick(rng, _TROUSERS)),
        leg_cover=float(rng.choice([0.55, 1.0, 1.0, 1.0])) if drape == 'none' else 0.4,
        drape=str(drape),  # type: ignore[arg-type]
        shoes=_pick(rng, _SHOES),
        skin=_pick(rng, _SKIN),
        hair=_dyed(rng, _pick(rng, _HAIR)),
        long_hair=bool(rng.uniform() < 0.35),
        bag=str(rng.choice(['none', 'none', 'backpack', 'shoulder'])),  # type: ignore[arg-type]
    )


def _pick(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    """Pick one colour."""
    return colours[int(rng.integers(len(colours)))]


def _dyed(rng: np.random.Generator, colour: Colour) -> Colour:
    """Vary a colour a little."""
    red, green, blue = np.clip(np.array(colour) + rng.integers(-14, 15, size=3), 8, 245).tolist()
    return red, green, blue
