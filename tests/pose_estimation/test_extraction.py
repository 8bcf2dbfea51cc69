import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from csipreid.datasets.mot_boxes import TrackedBox
from csipreid.pose_estimation import extraction
from csipreid.pose_estimation.extraction import Job, extract, make_batches

ROOT = Path(__file__).parents[2]


def jobs_of(crops, folder):
    return [Job(path, str(folder / f'{Path(path).stem}.json')) for path in crops]


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@pytest.fixture
def whole(crops, estimator, tmp_path):
    """What one run writes."""
    extract(make_batches(jobs_of(crops, tmp_path / 'whole'), 4), estimator, num_workers=0)
    return contents(tmp_path / 'whole')


def test_every_frame_gets_a_file_and_a_black_one_no_skeleton(whole):
    assert len(whole) == 10
    joints = {name: json.loads(content)['keypoints'] for name, content in whole.items()}
    assert joints['3.json'] == []
    assert [len(rows) for name, rows in sorted(joints.items()) if name != '3.json'] == [17] * 9


def test_the_pelvis_is_the_origin(whole):
    assert json.loads(whole['1.json'])['keypoints'][0] == [0, 0, 0]


def test_the_outcome_counts(crops, estimator, tmp_path):
    outcome = extract(make_batches(jobs_of(crops, tmp_path / 'out'), 4), estimator, num_workers=0)
    assert outcome == (10, 9, [], 0)


@pytest.mark.parametrize('removed', [['0'], ['5', '6'], ['9'], ['0', '4', '8']])
def test_what_lacks_is_made_again_and_is_the_same(crops, estimator, tmp_path, whole, removed):
    for name in removed:
        (tmp_path / f'whole/{name}.json').unlink()
    outcome = extract(make_batches(jobs_of(crops, tmp_path / 'whole'), 4), estimator, 0)
    assert outcome.written == len(removed)
    assert contents(tmp_path / 'whole') == whole


def test_nothing_is_computed_when_all_is_there(crops, estimator, tmp_path, whole, monkeypatch):
    monkeypatch.setattr(extraction.TASK_UTILS, 'build', lambda config: 1 / 0)
    jobs = jobs_of(crops, tmp_path / 'whole')
    assert extract(make_batches(jobs, 4), estimator, 0) == (0, 0, [], 0)


def test_frames_that_changed_are_done_again_and_those_that_were_copied_are_not(
    crops, estimator, tmp_path, whole
):
    batches = make_batches(jobs_of(crops, tmp_path / 'whole'), 1)
    extract(batches, estimator, 0)
    os.utime(crops[4], (1, 1))  # the same bytes at another time, as after a copy
    cv2.imwrite(crops[6], np.full((8, 4, 3), 222, np.uint8))
    before = contents(tmp_path / 'whole')
    assert extract(batches, estimator, 0) == (1, 1, [], 1)
    after = contents(tmp_path / 'whole')
    assert [name for name in before if before[name] != after[name]] == ['6.json']


def test_another_estimator_replaces_what_the_first_has_written(crops, estimator, tmp_path, whole):
    batches = make_batches(jobs_of(crops, tmp_path / 'whole'), 4)
    other = dict(estimator, layout='h36m')  # named, where it was the default
    assert extract(batches, other, 0).replaced == 10
    source = Path(estimator['function'].rpartition(':')[0])
    source.write_text(source.read_text().replace('0.9', '0.8'))
    assert extract(batches, other, 0).replaced == 10
    assert b'0.8' in contents(tmp_path / 'whole')['1.json']


def test_skeletons_of_other_origin_are_refused_before_any_is_written(crops, estimator, tmp_path):
    folder = tmp_path / 'out'
    folder.mkdir()
    (folder / '7.json').write_text('{"keypoints": []}')
    with pytest.raises(ValueError, match=r'7\.json was not written by extract_skeletons'):
        extract(make_batches(jobs_of(crops, folder), 4), estimator, 0)
    assert contents(folder) == {'7.json': b'{"keypoints": []}'}


def test_a_frame_that_became_unreadable_keeps_no_skeleton(crops, estimator, tmp_path, whole):
    Path(crops[2]).write_bytes(b'')
    assert extract(make_batches(jobs_of(crops, tmp_path / 'whole'), 4), estimator, 0).unreadable
    assert not (tmp_path / 'whole/2.json').exists()


def test_two_shards_are_one_run(crops, estimator, tmp_path, whole):
    for shard in ((1, 2), (0, 2)):
        extract(make_batches(jobs_of(crops, tmp_path / 'shards'), 4, shard), estimator, 0)
    assert contents(tmp_path / 'shards') == whole


@pytest.mark.slow
def test_several_processes_are_one_run(crops, estimator, tmp_path, whole):
    extract(make_batches(jobs_of(crops, tmp_path / 'two'), 4), estimator, num_workers=2)
    assert contents(tmp_path / 'two') == whole


SCRIPT = """
import sys, time
sys.path.insert(0, {root!r})
from csipreid.pose_estimation import extraction
write = extraction.write_skeleton_file
def slow(*args):
    time.sleep(0.05)
    write(*args)
extraction.write_skeleton_file = slow
jobs = [extraction.Job(*pair) for pair in {pairs!r}]
extraction.extract(extraction.make_batches(jobs, 4), {estimator!r}, 0)
"""


@pytest.mark.slow
def test_a_killed_run_continues_to_the_same_files(crops, estimator, tmp_path, whole):
    folder = tmp_path / 'killed'
    jobs = jobs_of(crops, folder)
    script = SCRIPT.format(root=str(ROOT), pairs=[job[:2] for job in jobs], estimator=estimator)
    process = subprocess.Popen([sys.executable, '-c', script])
    while not (folder / '2.json').exists():
        time.sleep(0.005)
        assert process.poll() is None
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert 3 <= len(contents(folder)) < 10
    extract(make_batches(jobs, 4), estimator, num_workers=0)
    assert contents(folder) == whole


def test_a_crop_that_is_no_image_is_named_and_the_others_are_done(crops, estimator, tmp_path):
    Path(crops[2]).write_bytes(b'')
    outcome = extract(make_batches(jobs_of(crops, tmp_path / 'out'), 4), estimator, 0)
    assert outcome.written == 9
    assert outcome.unreadable == [
        f'{crops[2]} is not an image, or ends too early (0 bytes); replace it'
    ]
    assert not (tmp_path / 'out/2.json').exists()


@pytest.fixture
def video(tmp_path):
    """Nine frames, each of one grey, 40 pixels more from frame to frame."""
    path = str(tmp_path / 'video.avi')
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*'MJPG'), 10, (64, 48))
    for number in range(6):
        writer.write(np.full((48, 64, 3), 40 * number, np.uint8))
    writer.release()
    return path


def test_boxes_are_cut_from_their_frames(video, estimator, tmp_path):
    boxes = [TrackedBox(frame, 1, 4, 4, 10, 20) for frame in (5, 2, 3)]
    jobs = [Job(video, str(tmp_path / f'out/{box.frame}.json'), box) for box in boxes]
    extract(make_batches(jobs, 1), estimator, num_workers=0)
    sizes = [
        np.ptp(json.loads((tmp_path / f'out/{n}.json').read_text())['keypoints']) for n in (2, 3, 5)
    ]
    # The skeleton grows with the grey: 40, 80 and 160 of 255.
    assert sizes == pytest.approx(
        [sizes[0] * (1 + g / 255) / (1 + 40 / 255) for g in (40, 80, 160)], rel=0.02
    )


def test_a_frame_beyond_the_end_is_named(video, estimator, tmp_path):
    job = Job(video, str(tmp_path / 'out/9.json'), TrackedBox(9, 1, 4, 4, 10, 20))
    outcome = extract([[job]], estimator, num_workers=0)
    assert outcome.unreadable == [f'{video} has no frame 9']


def test_a_target_that_comes_twice_is_one_job(crops):
    job = Job(crops[0], 'a.json')
    assert make_batches([job, Job(crops[1], 'b.json'), job], 2) == [[job, Job(crops[1], 'b.json')]]


@pytest.mark.parametrize(('batch_size', 'shard'), [(0, (0, 1)), (4, (2, 2)), (4, (-1, 2))])
def test_impossible_batches_are_refused(batch_size, shard):
    with pytest.raises(ValueError, match='batch_size must be positive and shard'):
        make_batches([], batch_size, shard)
