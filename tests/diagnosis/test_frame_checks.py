import os

import cv2
import numpy as np
import pytest

from csipreid.diagnosis import Report
from csipreid.diagnosis.frame_checks import check_frames, check_leaks


@pytest.fixture
def tracklets(tmp_path):
    items = []
    for pid in (1, 2):
        paths = [str(tmp_path / f'{pid}_{frame}.png') for frame in range(3)]
        for frame, path in enumerate(paths):
            cv2.imwrite(path, np.full((16, 8, 3), 30 * pid + frame, np.uint8))
        items.append(dict(pid=pid, frame_paths=paths))
    return items


def check(tracklets, **kwargs):
    report = Report(subsets=dict(train={}))
    check_frames(report, 'train', tracklets, **kwargs)
    return report


def test_sound_frames_are_counted_and_nothing_else(tracklets):
    report = check(tracklets)
    assert report.findings == []
    assert report.subsets['train'] == dict(frames_missing=0, frames_read=6)


def test_progress_ends_with_all_frames(tracklets):
    steps = []
    check(tracklets, progress=steps.append)
    assert sum(steps) == 6


def test_an_image_of_the_same_person_may_come_again(tracklets):
    paths = tracklets[0]['frame_paths']
    with open(paths[0], 'rb') as source, open(paths[1], 'wb') as target:
        target.write(source.read())
    assert check(tracklets).findings == []


def test_both_places_of_a_shared_image_are_named(tracklets):
    paths = [tracklets[0]['frame_paths'][0], tracklets[1]['frame_paths'][2]]
    with open(paths[0], 'rb') as source, open(paths[1], 'wb') as target:
        target.write(source.read())
    (finding,) = check(tracklets).findings
    assert finding.kind == 'frame-shared'
    assert finding.examples == (' = '.join(paths),)


def test_a_frame_that_is_a_link_to_another_is_named(tracklets):
    paths = [tracklets[0]['frame_paths'][0], tracklets[0]['frame_paths'][2]]
    os.remove(paths[1])
    os.link(*paths)
    (finding,) = check(tracklets).findings
    assert (finding.severity, finding.kind) == ('error', 'frame-twice')
    assert finding.examples == (' = '.join(paths),)


@pytest.mark.parametrize('link', ['copy', 'symbolic', 'hard', 'none'])
def test_frames_of_training_in_the_test_are_named(tracklets, tmp_path, link):
    source, path = tracklets[0]['frame_paths'][1], str(tmp_path / 'test.png')
    if link == 'copy':
        with open(source, 'rb') as read, open(path, 'wb') as write:
            write.write(read.read())
    elif link == 'none':
        cv2.imwrite(path, np.full((16, 8, 3), 200, np.uint8))
    else:
        (os.symlink if link == 'symbolic' else os.link)(source, path)
    report = Report(subsets=dict(train={}, query={}))
    parts = dict(train=tracklets, query=[dict(pid=3, frame_paths=[path])])
    check_leaks(report, {name: check_frames(report, name, items) for name, items in parts.items()})
    found = [(f.severity, f.kind, f.subset, f.examples) for f in report.findings]
    leak = ('warning', 'frame-leak', 'query', (f'{source} = {path}',))
    assert found == ([] if link == 'none' else [leak])
