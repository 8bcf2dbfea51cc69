import numpy as np
import pytest

from csipreid.visualization.drawing import (
    RIGHT_LIMB,
    draw_border,
    draw_caption,
    draw_skeleton,
    draw_strip,
    fit_skeleton,
    pick_evenly,
    stack_images,
)


def frame(height, width, value):
    return np.full((height, width, 3), value, np.uint8)


@pytest.mark.parametrize(
    ('num_items', 'picked'), [(0, []), (2, [0, 1]), (4, [0, 1, 2, 3]), (8, [1, 3, 5, 7])]
)
def test_frames_are_picked_evenly(num_items, picked):
    assert pick_evenly(num_items, 4).tolist() == picked


def test_strip_shows_frames_in_order_and_leaves_cells_empty():
    strip = draw_strip([frame(20, 10, 10), frame(40, 20, 90)], 20, 10, num_frames=3, gap=2)
    assert strip.shape == (20, 34, 3)
    assert (strip[:, :10] == 10).all()
    assert (strip[:, 12:22] == 90).all()
    assert (strip[:, 22:] == 255).all()


def test_strip_keeps_the_proportions_of_a_wide_frame():
    strip = draw_strip([frame(10, 20, 0)], 20, 10, num_frames=1)
    assert (strip[:7] == 255).all()
    assert (strip[8:12] == 0).all()


def test_skeleton_fills_the_height_and_is_centred():
    skeleton = np.array([[1.0, -1.0, 5.0], [1.0, 1.0, 6.0]])
    assert fit_skeleton(skeleton, (100, 40)) == pytest.approx(np.array([[20, 5], [20, 95]]))


def test_right_limb_has_its_colour_and_the_input_is_untouched():
    image = frame(9, 9, 0)
    line = np.array([[4.0, 0.0], [4.0, 8.0]])
    drawn = draw_skeleton(image, line, [(0, 1)], [(0, 1)], thickness=3)
    assert drawn[4, 4].tolist() == list(RIGHT_LIMB)
    assert not image.any()


def test_border_surrounds_the_image():
    framed = draw_border(frame(2, 3, 7), (1, 2, 3), width=2)
    assert framed.shape == (6, 7, 3)
    assert framed[0, 0].tolist() == [1, 2, 3]
    assert (framed[2:4, 2:5] == 7).all()


def test_caption_keeps_the_width():
    image = frame(4, 30, 0)
    captioned = draw_caption(image, 'a text that is far too long for this', height=10)
    assert captioned.shape == (14, 30, 3)
    assert (captioned[4:] < 255).any()


def test_stacking_pads_to_the_largest():
    stacked = stack_images([frame(2, 3, 0), frame(4, 1, 0)], axis=1, gap=1)
    assert stacked.shape == (4, 5, 3)
    assert (stacked[2:, :3] == 255).all()
