import numpy as np

from csipreid.synthetic.clothing import draw_outfits


def test_upper_garments_differ_in_colour(rng):
    tops = [np.array(outfit.top) for outfit in draw_outfits(rng, 8)]
    nearest = min(np.abs(a - b).max() for i, a in enumerate(tops) for b in tops[:i])
    assert nearest > 20


def test_more_outfits_than_fabrics_can_be_drawn(rng):
    assert len(draw_outfits(rng, 40)) == 40


def test_colours_are_bytes(rng):
    for outfit in draw_outfits(rng, 20):
        assert all(0 <= level <= 255 for level in (*outfit.top, *outfit.bottom, *outfit.hair))
