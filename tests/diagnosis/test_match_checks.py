from csipreid.diagnosis import Report
from csipreid.diagnosis.match_checks import check_matching
from csipreid.evaluation.protocol import get_protocol

# Person, camera: 1 has a match, 2 under its own camera only, 3 is absent from the gallery but
# queries twice, from two cameras.
QUERY = [(1, 0), (2, 0), (3, 0), (3, 1)]
GALLERY = [(1, 1), (2, 0), (0, 1)]


def examine(protocol, query=QUERY, gallery=GALLERY):
    report = Report()
    subsets = {
        name: [dict(pid=pid, camid=camid, frame_paths=[f'{pid}.jpg']) for pid, camid in items]
        for name, items in (('query', query), ('gallery', gallery))
    }
    check_matching(report, subsets, get_protocol(protocol))
    return report


def kinds(report):
    return [(finding.kind, finding.severity, finding.count) for finding in report.findings]


def test_reasons_are_counted():
    matching = examine('market').matching
    assert matching['queries_absent_from_gallery'] == 2
    assert matching['identities_absent_from_gallery'] == 1
    assert matching['queries_with_same_camera_only'] == 1
    assert matching['valid_queries'] == matching['valid_queries_by_gallery_alone'] == 1


def test_queries_that_are_not_scored_are_told():
    assert kinds(examine('market')) == [('query-without-match', 'warning', 3)]


def test_with_the_queries_in_the_gallery_they_match_one_another():
    report = examine('tfclip')
    assert report.matching['valid_queries'] == 3  # person 2 still is under one camera only


def test_a_single_camera_is_an_error_unless_it_is_kept():
    items = dict(query=[(1, 0)], gallery=[(1, 0), (2, 0)])
    assert kinds(examine('market', **items)) == [('single-camera', 'error', 1)]
    keep = dict(base='market', same_camera='keep')
    assert kinds(examine(keep, **items)) == []


def test_nobody_in_the_gallery_is_an_error():
    report = examine('market', query=[(1, 0)], gallery=[(2, 1)])
    assert kinds(report) == [('no-match', 'error', 1)]
    assert report.matching['valid_queries'] == 0


def test_keeping_known_cameras_is_noted():
    report = examine(dict(base='market', same_camera='keep'), query=[(1, 0)], gallery=[(1, 1)])
    assert kinds(report) == [('same-camera-kept', 'note', 1)]


def test_dropping_unknown_cameras_is_told():
    report = examine('market', query=[(1, 0)], gallery=[(1, -1)])
    assert kinds(report) == [('camera-unknown-dropped', 'warning', 1)]


def test_kept_cameras_are_not_subtracted():
    report = examine(dict(base='market', same_camera='keep'))
    assert report.matching['queries_with_same_camera_only'] == 1
    assert report.matching['valid_queries'] == 2  # persons 1 and 2; person 3 is absent
    assert report.matching['valid_queries_by_gallery_alone'] == 2
    (finding,) = (f for f in report.findings if f.kind == 'query-without-match')
    assert (finding.count, finding.examples) == (2, ('3.jpg', '3.jpg'))


def test_queries_of_one_camera_are_told_which_protocol_fits():
    items = dict(query=[(p, 0) for p in (1, 2, 5)], gallery=[(p, 1) for p in (1, 2, 5)])
    report = examine('tfclip', **items)
    assert kinds(report) == [('query-own-camera', 'warning', 3)]
    assert "protocol 'market'" in report.findings[0].message
    assert report.fit
    assert kinds(examine('market', **items)) == []
