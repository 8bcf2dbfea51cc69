import numpy as np
import pytest

from csipreid.registry import TRANSFORMS


def resize(frames, size):
    return TRANSFORMS.build(dict(type='ResizeFrames', size=size))(dict(frames=frames))['frames']


def erase(frames, seed=0, **kwargs):
    transform = TRANSFORMS.build(dict(type='EraseFrames', **kwargs))
    return transform(dict(frames=frames, rng=np.random.default_rng(seed)))['frames']


def erased_boxes(num_frames=400, size=(64, 32), **kwargs):
    """Erase black frames; return (top, left, height, width) of each frame's box."""
    frames = erase(np.zeros((num_frames, *size, 3), np.uint8), prob=1.0, **kwargs)
    boxes = []
    for frame in frames:
        rows, columns = np.nonzero(frame.any(axis=-1))
        if rows.size:
            corner = rows.min(), columns.min()
            boxes.append((*corner, rows.max() + 1 - corner[0], columns.max() + 1 - corner[1]))
    return np.array(boxes)


def test_frames_of_different_sizes_become_one_array():
    frames = [np.full((h, w, 3), h, np.uint8) for h, w in ((128, 48), (64, 32), (20, 90))]
    resized = resize(frames, (64, 32))
    assert resized.shape == (3, 64, 32, 3)
    assert resized.dtype == np.uint8
    assert resized[:, 5, 5, 0].tolist() == [128, 64, 20]


def test_a_frame_of_the_right_size_is_untouched():
    frame = np.random.default_rng(0).integers(256, size=(8, 4, 3), dtype=np.uint8)
    assert np.array_equal(resize([frame], (8, 4))[0], frame)


def test_size_is_height_then_width():
    image = np.zeros((4, 2, 3), np.uint8)
    image[:2] = 200  # upper half
    assert resize([image], (8, 2))[0, :, 0, 0].tolist()[:3] == [200, 200, 200]


def test_shrinking_takes_the_mean():
    image = np.zeros((8, 8, 3), np.uint8)
    image[::2] = 100  # every second row
    assert np.unique(resize([image], (2, 2))).tolist() == [50]


@pytest.mark.parametrize('size', [(0, 4), (8,), (8, 4, 3)])
def test_rejects_an_impossible_size(size):
    with pytest.raises(ValueError, match='positive height and width'):
        resize([], size)


def test_erasing_leaves_the_rest_of_the_frame():
    frames = np.random.default_rng(1).integers(256, size=(20, 64, 32, 3), dtype=np.uint8)
    changed = (erase(frames.copy(), prob=1.0) != frames).any(axis=-1)
    assert changed.mean(axis=(1, 2)).min() > 0
    assert changed.mean(axis=(1, 2)).max() <= 0.2


def test_a_box_has_one_colour():
    frame = erase(np.zeros((1, 64, 32, 3), np.uint8), prob=1.0)[0]
    assert len(np.unique(frame.reshape(-1, 3), axis=0)) == 2


def test_area_and_aspect_stay_in_their_ranges():
    _, _, height, width = erased_boxes(size=(256, 128)).T
    share = height * width / (256 * 128)
    assert 0.018 < share.min() < 0.03  # sides are rounded down
    assert 0.17 < share.max() <= 0.2
    assert 0.3 < (height / width).min() < 0.45
    assert 2.6 < (height / width).max() < 3.5


def test_boxes_lie_anywhere_in_the_frame():
    top, left, height, width = erased_boxes(size=(64, 32)).T
    assert top.min() == left.min() == 0
    assert (top + height).max() == 64
    assert (left + width).max() == 32
    # A uniform place: on average as much room above as below, left as right.
    assert top.mean() == pytest.approx((64 - top - height).mean(), rel=0.15)
    assert left.mean() == pytest.approx((32 - left - width).mean(), rel=0.15)


def test_box_lies_at_the_place_that_was_drawn():
    rng = np.random.default_rng(7)
    rng.random(1)  # whether to erase
    share, aspect = rng.uniform(0.02, 0.2), rng.uniform(0.3, 1 / 0.3)
    height, width = (int((share * 64 * 32 * aspect**sign) ** 0.5) for sign in (1, -1))
    top, left = rng.integers(64 - height + 1), rng.integers(32 - width + 1)
    assert erased_boxes(num_frames=1, seed=7).tolist() == [[top, left, height, width]]


def test_published_place_is_the_size_of_the_box():
    top, left, height, width = erased_boxes(place_by_size=True).T
    # Boxes that reach over the edge are cut; the others tell their true size.
    inside = (top + height < 64) & (left + width < 32)
    assert inside.sum() > 100
    assert np.array_equal(top[inside], height[inside])
    assert np.array_equal(left[inside], width[inside])


def test_frames_are_erased_independently_with_the_probability():
    frames = erase(np.zeros((1000, 16, 8, 3), np.uint8), prob=0.3)
    assert frames.any(axis=(1, 2, 3)).mean() == pytest.approx(0.3, abs=0.05)


def test_boxes_that_never_fit_leave_the_frame():
    assert not erase(np.zeros((2, 8, 8, 3), np.uint8), prob=1.0, area=(1.0, 1.0)).any()


@pytest.mark.parametrize(
    'kwargs', [dict(prob=1.5), dict(area=(0.2, 0.1)), dict(area=(0, 0.1)), dict(aspect=(2, 1))]
)
def test_rejects_impossible_values(kwargs):
    with pytest.raises(ValueError, match=next(iter(kwargs))):
        erase(None, **kwargs)


def test_frames_of_different_sizes_cannot_be_erased():
    with pytest.raises(ValueError, match='EraseFrames needs frames of one size; put ResizeFrames'):
        erase([np.zeros((4, 2, 3), np.uint8)])


def jittered(frames, seed=0, **kwargs):
    transform = TRANSFORMS.build(dict(type='JitterColors', **kwargs))
    return transform(dict(frames=frames, rng=np.random.default_rng(seed)))['frames']


def test_colours_of_a_clip_change_alike_in_all_frames():
    frames = np.repeat(np.random.default_rng(0).integers(256, size=(1, 6, 4, 3)), 3, axis=0)
    changed = jittered(frames.astype(np.uint8))
    assert changed.dtype == np.uint8
    assert (changed == changed[:1]).all()
    assert (changed != frames).any()


def test_a_grey_level_becomes_gain_times_it_plus_offset_for_each_channel():
    frames = np.zeros((1, 1, 2, 3), np.uint8)
    frames[0, 0, 1] = 100
    dark, light = jittered(frames, offset=0.0, gain=(1.3, 1.3))[0, 0].astype(int)
    assert dark.tolist() == [0, 0, 0]
    assert light.tolist() == [130, 130, 130]
    dark, light = jittered(frames, offset=20.0, gain=(1.0, 1.0), seed=3)[0, 0].astype(int)
    assert len(set((light - 100).tolist())) == 3
    assert (abs(light - 100) <= 20).all()


def test_colours_stay_in_range():
    frames = np.full((1, 2, 2, 3), 250, np.uint8)
    assert (jittered(frames, gain=(2.0, 2.0)) == 255).all()


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(gain=(0.0, 1.0)), 'gain must be an ascending positive pair'),
        (dict(offset=-1), 'offset must be at least 0, got -1'),
    ],
)
def test_colour_options_out_of_range_are_named(kwargs, message):
    with pytest.raises(ValueError, match=message):
        TRANSFORMS.build(dict(type='JitterColors', **kwargs))
