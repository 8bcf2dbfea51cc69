import numpy as np
import pytest

from csipreid.skeletons import get_layout
from csipreid.visualization.ranking_sheet import VERDICT_COLOURS, RankedTracklet, draw_ranking


def tracklet(verdict, **kwargs):
    return RankedTracklet([np.full((8, 4, 3), 60, np.uint8)] * 3, verdict, **kwargs)


def colours(image):
    return {tuple(colour) for colour in image.reshape(-1, 3).tolist()}


def test_each_verdict_has_its_border():
    row = [tracklet(verdict) for verdict in VERDICT_COLOURS]
    assert set(VERDICT_COLOURS.values()) <= colours(draw_ranking([row]))


def test_right_alone_shows_no_red():
    image = draw_ranking([[tracklet('query'), tracklet('right')]])
    assert VERDICT_COLOURS['wrong'] not in colours(image)


def test_each_query_has_a_row():
    row = [tracklet('query'), tracklet('wrong', caption='pid 3')]
    assert draw_ranking([row] * 3).shape[0] > 2 * draw_ranking([row]).shape[0]


def test_skeletons_are_drawn_when_present():
    skeletons = np.random.default_rng(0).normal(size=(3, 17, 3))
    row = [tracklet('query', skeletons=skeletons)]
    plain = draw_ranking([row])
    assert (draw_ranking([row], layout=get_layout('h36m')) != plain).any()


def test_missing_skeletons_are_not_drawn():
    row = [tracklet('query', skeletons=np.zeros((3, 17, 3)))]
    assert (draw_ranking([row], layout=get_layout('h36m')) == draw_ranking([row])).all()


def test_unknown_verdict_is_named():
    with pytest.raises(ValueError, match="got 'maybe'"):
        draw_ranking([[tracklet('maybe')]])


def test_nothing_to_draw_is_an_error():
    with pytest.raises(ValueError, match='got 0 queries'):
        draw_ranking([])
