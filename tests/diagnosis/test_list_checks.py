from csipreid.diagnosis import Report
from csipreid.diagnosis.list_checks import (
    check_batches,
    check_cameras,
    check_identities,
    check_lists,
    count_subset,
)


def tracklet(pid, camid=0, length=10):
    frames = [f'{pid}/{camid}/{frame}.jpg' for frame in range(length)]
    return dict(pid=pid, camid=camid, frame_paths=frames, skeleton_paths=frames)


def kinds(report):
    return [(finding.kind, finding.severity, finding.count) for finding in report.findings]


def test_junk_distractors_and_lengths_are_counted():
    report = Report()
    items = [tracklet(-1), tracklet(0, 1, 3), tracklet(5, 2, 7), tracklet(5, -1, 8)]
    assert len(count_subset(report, 'gallery', items)) == 3
    assert report.subsets['gallery'] == dict(
        tracklets=3, junk=1, distractors=1, identities=1, cameras=2, unknown_cameras=1,
        frames=18, shortest=3, longest=8, mean_length=6.0,
    )  # fmt: skip


def test_person_0_is_a_person_in_training():
    report = Report()
    count_subset(report, 'train', [tracklet(0), tracklet(1)])
    assert report.subsets['train']['identities'] == 2
    assert report.subsets['train']['distractors'] == 0


def test_tracklets_shorter_than_a_clip_are_noted():
    report = Report()
    check_lists(report, 'train', [tracklet(1, length=7), tracklet(1, length=8)], clip_len=8)
    assert kinds(report) == [('tracklet-short', 'note', 1)]


def test_frames_out_of_order_are_told():
    report = Report()
    item = tracklet(1)
    item['frame_paths'] = item['frame_paths'][::-1]
    check_lists(report, 'train', [item], clip_len=8)
    assert kinds(report) == [('frame-order', 'warning', 1)]


def test_cameras_must_be_known_for_all_or_none():
    report = Report()
    check_lists(report, 'train', [tracklet(1, -1), tracklet(1, 0)], clip_len=8)
    check_lists(report, 'query', [tracklet(1, -1)], clip_len=8)
    assert kinds(report) == [('camera-mixed', 'warning', 1)]


def test_persons_in_both_halves_are_told_but_not_distractors():
    report = Report()
    subsets = dict(train=[tracklet(1), tracklet(0)], query=[tracklet(2)])
    check_identities(report, dict(**subsets, gallery=[tracklet(0)]))
    assert report.findings == []
    check_identities(report, dict(**subsets, gallery=[tracklet(1)]))
    assert kinds(report) == [('identity-overlap', 'warning', 1)]


def test_persons_of_one_camera_are_noted_if_there_are_several_cameras():
    report = Report()
    check_identities(report, dict(train=[tracklet(1, 0), tracklet(2, 0)]))
    assert report.findings == []
    check_identities(report, dict(train=[tracklet(1, 0), tracklet(1, 1), tracklet(2, 0)]))
    assert kinds(report) == [('identity-one-camera', 'note', 1)]


def test_a_camera_beyond_the_table_is_an_error_and_a_gap_a_warning():
    for camid, severity in ((1, 'warning'), (7, 'error')):
        report = Report()
        subsets = dict(train=[tracklet(1, 0), tracklet(2, 2)], query=[tracklet(3, camid)])
        check_cameras(report, subsets, embedded=True)
        assert kinds(report) == [('camera-unseen', severity, 1)]


def test_without_camera_embedding_new_cameras_are_a_note():
    report = Report()
    check_cameras(report, dict(train=[tracklet(1, 0)], query=[tracklet(3, 7)]), embedded=False)
    assert kinds(report) == [('camera-unseen', 'note', 1)]


def test_a_batch_needs_enough_persons_or_tracklets():
    report = Report()
    items = [tracklet(1), tracklet(2), tracklet(2)]
    sampler = dict(type='IdentitySampler', num_instances=4)
    check_batches(report, items, dict(batch_size=8, sampler=sampler))
    assert report.findings == []
    check_batches(report, items, dict(batch_size=12, sampler=sampler))
    check_batches(report, items, dict(batch_size=4, drop_last=True))
    check_batches(report, items[:1], dict(batch_size=1))
    assert [kind for kind, _, _ in kinds(report)] == [
        'too-few-identities', 'too-few-tracklets', 'one-identity',
    ]  # fmt: skip


def test_batches_of_a_config_that_trains_later_are_told_by_its_name():
    report = Report()
    items = [tracklet(pid) for pid in (1, 1, 2, 3)]
    sampler = dict(type='IdentitySampler', batch_size=8, num_instances=2)
    check_batches(report, items, dict(batch_size=8, sampler=sampler), 'stage2.py')
    assert [kind for kind, _, _ in kinds(report)] == ['too-few-identities']
    assert report.findings[0].message.startswith(
        'a batch of stage2.py needs 4 persons, there are 3'
    )
    sampler['batch_size'] = 6  # the sampler draws, whatever the loader says
    check_batches(report, items, dict(batch_size=8, sampler=sampler), 'stage2.py')
    assert len(report.findings) == 1
