import cv2
import numpy as np
import pytest

from csipreid.apis.ranking_sheets import ranking_sheets
from csipreid.evaluation.feature_file import FeatureFile
from csipreid.evaluation.protocol import get_protocol
from csipreid.evaluation.tracklet_set import TrackletSet

GREEN, RED, GREY = (34, 139, 34), (200, 30, 30), (150, 150, 150)
# The first query's gallery, nearest first: same camera, wrong, right, wrong.
ANGLES = [0, 90, 5, 10, 20, 30]
PIDS = [1, 2, 1, 2, 1, 2]
CAMIDS = [0, 0, 0, 1, 1, 1]


@pytest.fixture
def features(tmp_path):
    """Two queries and a gallery of four; all frames are plain blue."""
    paths = []
    for row in range(len(PIDS)):
        path = tmp_path / f'{row}.png'
        cv2.imwrite(str(path), np.full((16, 8, 3), (255, 0, 0), np.uint8))  # BGR
        paths.append([str(path)])
    angles = np.deg2rad(ANGLES)
    tracklets = TrackletSet(
        embedding=np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32),
        pid=np.array(PIDS),
        camid=np.array(CAMIDS),
        is_query=np.arange(len(PIDS)) < 2,
    )
    return FeatureFile(tracklets, paths)


def sheets(features, protocol='csip', **kwargs):
    return list(ranking_sheets(features, get_protocol(protocol), **kwargs))


def bordered(image, colour):
    """Left edges of the borders of one colour, as columns of pixels, row by row."""
    match = (image == colour).all(axis=2)
    starts = match & ~np.roll(match, 1, axis=1) & np.roll(match, -20, axis=1)
    return np.unique(np.nonzero(starts & np.roll(starts, -1, axis=0))[1])


def test_each_query_gets_a_sheet_in_the_order_of_the_test_set(features):
    assert [sheet.name for sheet in sheets(features)] == [
        'query0_id1_camera0',
        'query1_id2_camera0',
    ]


def test_borders_tell_right_wrong_and_same_camera_in_their_order(features):
    image = sheets(features, num_frames=1)[0].image
    grey, green, red = (bordered(image, colour) for colour in (GREY, GREEN, RED))
    assert (len(grey), len(green), len(red)) == (1, 1, 2)
    assert grey[0] < red[0] < green[0] < red[1]


def test_frames_are_drawn_in_rgb(features):
    image = sheets(features, num_frames=1)[0].image
    assert (image == (0, 0, 255)).all(axis=2).sum() > 5 * 128 * 60
    assert not (image == (255, 0, 0)).all(axis=2).any()


def test_the_interval_chooses_queries(features):
    assert [sheet.name for sheet in sheets(features, interval=2)] == ['query0_id1_camera0']


def test_top_counts_ranks_and_not_what_is_left_out(features):
    image = sheets(features, num_frames=1, top=1)[0].image
    counts = [len(bordered(image, colour)) for colour in (GREY, GREEN, RED)]
    assert counts == [1, 0, 1]


def test_queries_are_ranked_too_where_the_protocol_says_so(features):
    image = sheets(features, 'tfclip', num_frames=1)[0].image
    assert len(bordered(image, RED)) == 3


def test_features_without_frames_are_refused(features):
    with pytest.raises(ValueError, match='name no frames'):
        sheets(FeatureFile(features.tracklets))


def test_missing_frame_is_named(features, tmp_path):
    (tmp_path / '3.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'3\.png not found'):
        sheets(features)


def test_rejects_an_interval_of_zero(features):
    with pytest.raises(ValueError, match='must be positive, got 0, 10 and 4'):
        sheets(features, interval=0)
