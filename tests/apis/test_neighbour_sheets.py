import numpy as np

from csipreid.apis.neighbour_sheets import neighbour_sheets


def test_what_was_found_stands_in_its_order():
    tracklets = [np.full((2, 20, 10, 3), value, np.uint8) for value in (50, 120, 200)]
    (sheet,) = neighbour_sheets(
        tracklets[:1], tracklets, np.array([[2, 1]]), np.array([[0.9, 0.1]]), num_frames=1
    )
    row = sheet[60, :, 0].astype(int)
    places = [int(np.flatnonzero(row == value).mean()) for value in (50, 200, 120)]
    assert places == sorted(places)
