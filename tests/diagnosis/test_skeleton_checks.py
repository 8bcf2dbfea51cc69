import numpy as np
import pytest

from csipreid.diagnosis import Report
from csipreid.diagnosis.skeleton_checks import check_packs, check_skeletons
from csipreid.skeletons import get_layout
from csipreid.skeletons.files import write_skeleton_file
from csipreid.skeletons.packing import pack_folder


@pytest.fixture
def tracklets(tmp_path):
    """Two tracklets of four frames; one frame was not found, one has no file."""
    rng = np.random.default_rng(0)
    items = []
    for pid in (1, 2):
        paths = [str(tmp_path / f'skeletons/{pid}/{frame}.json') for frame in range(4)]
        for path in paths:
            joints = rng.normal(size=(17, 3)).astype(np.float32)
            joints[10, 1] = -3  # the head, up
            write_skeleton_file(path, joints, 0.5)
        items.append(dict(pid=pid, skeleton_paths=paths, frame_paths=paths))
    write_skeleton_file(items[0]['skeleton_paths'][1], None, 0.1)
    (tmp_path / 'skeletons/2/3.json').unlink()
    return items


def counts(tracklets):
    report = Report(subsets=dict(train={}))
    check_skeletons(report, 'train', tracklets, get_layout('h36m'), 'mask')
    return report.subsets['train']['skeletons']


def test_what_is_found_missing_and_not_found_is_counted(tracklets):
    measured = counts(tracklets)
    assert [measured[k] for k in ('frames', 'missing', 'not_found', 'found')] == [8, 1, 1, 6]
    assert measured['coverage'] == 0.75


def test_packed_skeletons_are_counted_the_same(tracklets, tmp_path):
    loose = counts(tracklets)
    pack_folder(tmp_path / 'skeletons')
    assert counts(tracklets) == loose


def test_a_fresh_pack_is_not_stale(tracklets, tmp_path):
    pack_folder(tmp_path / 'skeletons')
    report = Report()
    check_packs(report, 'train', tracklets)
    assert report.findings == []


def test_a_file_that_the_pack_lacks_makes_it_stale(tracklets, tmp_path):
    pack_folder(tmp_path / 'skeletons')
    write_skeleton_file(tracklets[1]['skeleton_paths'][3], np.ones((17, 3)), 0.5)
    report = Report()
    check_packs(report, 'train', tracklets)
    assert report.findings[0].examples == (str(tmp_path / 'skeletons/2'),)
