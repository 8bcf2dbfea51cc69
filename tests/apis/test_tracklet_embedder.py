from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from csipreid.apis import TrackletEmbedder
from csipreid.checkpoint import write_checkpoint
from csipreid.registry import MODELS

CONFIG = Path(__file__).parents[2] / 'configs' / 'csip' / 'stage2_walkers.py'
VIDEO = Path(__file__).parents[3] / 'shared' / 'data' / 'video' / 'vtest.avi'
BOX = [4, 6, 30, 60]


@pytest.fixture(scope='module')
def weights(tmp_path_factory):
    model = MODELS.build(Config.fromfile(CONFIG).model, default_args=dict(num_ids=3, num_cams=2))
    path = tmp_path_factory.mktemp('weights') / 'model.pth'
    meta = dict(dataset_meta=dict(dataset_name='walkers', num_ids=3, num_cams=2))
    write_checkpoint(dict(state_dict=model.state_dict(), meta=meta), path)
    return path


@pytest.fixture
def embedder(weights):
    return TrackletEmbedder(CONFIG, weights, 'cpu', max_crops=8, max_gap=3)


@pytest.fixture
def video():
    return list(np.random.default_rng(0).integers(0, 256, (20, 70, 50, 3), np.uint8))


def cut(frames):
    return [frame[6:60, 4:30] for frame in frames]


def test_a_track_is_embedded_as_the_list_of_its_crops(embedder, video):
    for frame in video[:8]:
        assert embedder.update(frame, [BOX, [10, 0, 40, 70]], [7, 2]) == []
    found = embedder.embeddings([7])[7]
    assert found == pytest.approx(embedder.inferencer([cut(video[:8])])[0], abs=1e-6)


def test_of_a_long_track_every_second_crop_is_kept_then_every_fourth(embedder, video):
    for count, step in ((9, 2), (20, 4)):
        for frame in video[embedder.frame : count]:
            embedder.update(frame, [BOX], [1])
        expected = embedder.inferencer([cut(video[:count:step])])[0]
        assert embedder.embeddings()[1] == pytest.approx(expected, abs=1e-6)
        assert len(embedder._tracks[1].crops) <= 8


def test_a_track_that_returns_in_time_goes_on_and_one_that_does_not_has_ended(embedder, video):
    nobody = np.zeros((0, 4)), []
    embedder.update(video[0], [BOX], [1])
    for frame in video[1:4]:
        assert embedder.update(frame, *nobody) == []
    assert embedder.update(video[4], [BOX], [1]) == []  # away for three frames
    for frame in video[5:8]:
        embedder.update(frame, *nobody)
    assert embedder.update(video[8], *nobody) == []
    (ended,) = embedder.update(video[9], [BOX], [1])
    assert ended[2:] == (0, 4, 2)
    expected = embedder.inferencer([cut([video[0], video[4]])])[0]
    assert ended.embedding == pytest.approx(expected, abs=1e-6)
    (again,) = embedder.finish()
    assert again[2:] == (9, 9, 1)
    assert embedder.embeddings() == {}


def test_one_call_gives_each_box_its_row(embedder, video):
    boxes = np.array([[10, 0, 40, 70], BOX, [-20, -9, 30, 60]], np.float32)
    found = embedder(video[0], boxes)
    crops = [video[0][0:70, 10:40], video[0][6:60, 4:30], video[0][0:60, 0:30]]
    assert found == pytest.approx(embedder.inferencer([[crop] for crop in crops]), abs=1e-5)
    assert embedder(video[0], []).shape == (0, found.shape[1])


@pytest.mark.parametrize(
    'box',
    [[50, 0, 90, 60], [-30, 0, -1, 60], [5, 5, 5, 60], [np.nan, 0, 9, 9], [0, 0, np.inf, 9]],
)
def test_a_box_without_a_crop_is_a_row_of_zeros_and_no_track(embedder, video, box):
    found = embedder(video[0], [box, BOX])
    assert not found[0].any()
    assert np.linalg.norm(found[1]) == pytest.approx(1, abs=1e-5)
    embedder.update(video[0], [box, BOX], [1, 2])
    assert set(embedder.embeddings()) == {2}


def test_detections_that_are_not_confirmed_are_no_tracks(embedder, video):
    embedder.update(video[0], [BOX, BOX, BOX], np.array([-1, 5, -1]))
    assert set(embedder.embeddings()) == {5}


def test_blue_comes_first_where_it_is_said_to(embedder, weights, video):
    other = TrackletEmbedder(CONFIG, weights, 'cpu', color='bgr')
    swapped = np.ascontiguousarray(video[0][..., ::-1])
    assert other(swapped, [BOX]) == pytest.approx(embedder(video[0], [BOX]), abs=1e-6)
    assert np.abs(other(video[0], [BOX]) - embedder(video[0], [BOX])).max() > 1e-4


@pytest.mark.parametrize(
    ('change', 'error', 'message'),
    [
        (dict(boxes=[[30, 6, 4, 60]]), ValueError, 'box 0 is .* boxes are left, top'),
        (dict(boxes=[BOX[:3]]), ValueError, r'boxes must be of shape \(N, 4\)'),
        (dict(track_ids=[1, 2]), ValueError, 'one for each of 1 boxes, got 2'),
        (dict(track_ids=[1.5]), TypeError, 'whole numbers'),
        (dict(track_ids=None), TypeError, 'track_ids are missing'),
        (dict(boxes=[BOX, BOX], track_ids=[1, 1]), ValueError, 'must be different'),
        (dict(frame=np.zeros((9, 9, 3))), TypeError, 'array of uint8, got float64'),
        (dict(frame=np.zeros((9, 9), np.uint8)), ValueError, r'shape \(H, W, 3\)'),
    ],
)
def test_what_cannot_be_is_named_and_changes_nothing(embedder, video, change, error, message):
    with pytest.raises(error, match=message):
        embedder.update(**dict(frame=video[0], boxes=[BOX], track_ids=[1]) | change)
    assert (embedder.frame, embedder.embeddings()) == (0, {})


@pytest.mark.slow
def test_a_tracker_of_the_trackers_package_feeds_it(weights):
    cv2 = pytest.importorskip('cv2')
    supervision = pytest.importorskip('supervision')
    trackers = pytest.importorskip('trackers')
    if not VIDEO.is_file():
        pytest.skip('the video is not at hand')
    embedder = TrackletEmbedder(CONFIG, weights, 'cpu', color='bgr', max_crops=16)
    tracker, background = trackers.ByteTrackTracker(), cv2.createBackgroundSubtractorMOG2()
    reader, ended, seen = cv2.VideoCapture(str(VIDEO)), [], set()
    for _ in range(120):
        frame = reader.read()[1]
        mask = cv2.morphologyEx(background.apply(frame), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        stats = cv2.connectedComponentsWithStats(mask)[2][1:]
        stats = stats[(stats[:, 3] > 40) & (stats[:, 3] > stats[:, 2])]
        boxes = np.hstack([stats[:, :2], stats[:, :2] + stats[:, 2:4]]).astype(np.float32)
        found = supervision.Detections(
            xyxy=boxes.reshape(-1, 4), confidence=np.full(len(boxes), 0.9, np.float32),
            class_id=np.zeros(len(boxes), int),
        )  # fmt: skip
        found = tracker.update(found)
        ended += embedder.update(frame, found.xyxy, found.tracker_id)
        seen |= set(found.tracker_id.tolist()) - {-1}
    ended += embedder.finish()
    assert {track.track_id for track in ended} == seen
    assert len(seen) >= 2
    assert all(np.isfinite(track.embedding).all() for track in ended)
