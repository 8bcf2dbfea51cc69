"""What the card says of queries that stand in each other's way."""

import numpy as np
import pytest

from csipreid.evaluation.card import fill_card
from csipreid.evaluation.distances import split_rows
from csipreid.evaluation.protocol import get_protocol
from csipreid.evaluation.tracklet_set import TrackletSet

PEOPLE = range(3, 13)


def card(query, gallery, protocol='tfclip'):
    """Fill a card from pairs of person and camera."""
    pid, camid = (np.array(column) for column in zip(*query, *gallery, strict=True))
    size = len(pid)
    tracklets = TrackletSet(np.zeros((size, 1)), pid, camid, np.arange(size) < len(query))
    rules = get_protocol(protocol)
    return fill_card(tracklets, rules, *split_rows(tracklets, rules))


@pytest.mark.parametrize('protocol', ['tfclip', 'mars_official'])
def test_queries_of_one_camera_are_told_what_fits(protocol):
    result = card([(p, 4) for p in PEOPLE], [(p, c) for p in PEOPLE for c in (1, 2)], protocol)
    assert result.notices[0].startswith('all 10 queries come from one camera')
    assert "protocol 'market'" in result.notices[0]
    assert f'WARNING      {result.notices[0]}' in str(result)


def test_strangers_of_that_camera_in_the_gallery_do_not_hide_it():
    gallery = [(p, 1) for p in PEOPLE] + [(0, 4)] * 50
    assert card([(p, 4) for p in PEOPLE], gallery).notices


def test_cameras_that_only_the_queries_have_are_told():
    query = [(p, c) for p in PEOPLE for c in (0, 1)]  # two of a person match each other
    result = card(query, [(p, c) for p in PEOPLE for c in (2, 3)])
    assert result.notices[0].startswith('nothing but the queries comes from the cameras')


def test_queries_that_find_nobody_among_themselves_are_told():
    gallery = [(p, c) for p in PEOPLE for c in (0, 1, 2)]
    result = card([(p, p % 3) for p in PEOPLE], gallery)
    assert result.notices[0].startswith('no query has a match among the other queries')


def test_the_usual_set_and_the_protocol_that_fits_raise_no_doubt():
    pairs = [(p, c) for p in PEOPLE for c in (0, 1, 2)]
    assert card(pairs, pairs).notices == ()  # as MARS: each camera queries, and is in the gallery
    one_camera = [(p, 4) for p in PEOPLE]
    assert card(one_camera, pairs, 'market').notices == ()
    assert card(one_camera[:1], pairs).notices == ()  # nobody else to meet


def test_large_identities_are_not_confused():
    people = [2**62 + p for p in PEOPLE]
    result = card([(p, 0) for p in people], [(p, 1) for p in people], 'ilids')
    assert (result.valid_queries, result.skipped_same_camera) == (10, 0)


def test_no_match_names_the_camera_only_where_it_counts():
    kept = dict(base='market', same_camera='keep')
    with pytest.raises(ValueError, match=r'appears in the gallery under another camera; check'):
        card([(3, 0)], [(4, 1)], 'market')
    with pytest.raises(ValueError, match=r'appears in the gallery; check'):
        card([(3, 0)], [(4, 1)], kept)
