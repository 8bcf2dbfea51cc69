"""What the evaluation will do: which queries have a match, and why others have none."""

from collections import defaultdict

import numpy as np

from csipreid.diagnosis.report import Report
from csipreid.evaluation.card import fill_card
from csipreid.evaluation.distances import split_rows
from csipreid.evaluation.protocol import Protocol
from csipreid.evaluation.tracklet_set import TrackletSet


def check_matching(report: Report, subsets: dict[str, list[dict]], protocol: Protocol) -> None:
    """Count the queries that the protocol scores, and look for those that it cannot."""
    query, gallery = subsets.get('query', []), subsets.get('gallery', [])
    if not query or not gallery:
        return
    cameras = defaultdict(set)
    for item in gallery:
        cameras[item['pid']].add(item['camid'])
    absent = [item for item in query if item['pid'] not in cameras]
    alone = [item for item in query if cameras.get(item['pid']) == {item['camid']}]
    unmatched = [*absent, *alone] if protocol.same_camera == 'drop' else absent
    report.matching = dict(
        protocol=protocol.name,
        query_in_gallery=protocol.query_in_gallery,
        same_camera=protocol.same_camera,
        queries=len(query),
        queries_absent_from_gallery=len(absent),
        identities_absent_from_gallery=len({item['pid'] for item in absent}),
        queries_with_same_camera_only=len(alone),
        valid_queries_by_gallery_alone=len(query) - len(unmatched),
    )
    items = [*query, *gallery]
    tracklets = TrackletSet(
        embedding=np.zeros((len(items), 1), np.float32),
        pid=np.array([item['pid'] for item in items]),
        camid=np.array([item['camid'] for item in items]),
        is_query=np.arange(len(items)) < len(query),
    )
    unknown = sum(item['camid'] < 0 for item in items)
    try:
        card = fill_card(tracklets, protocol, *split_rows(tracklets, protocol))
    except ValueError as error:
        known = {item['camid'] for item in items}
        report.add(
            'error',
            'single-camera' if len(known) == 1 else 'no-match',
            'query',
            str(error).split('\n')[0],
        )
        report.matching['valid_queries'] = 0
        return
    report.matching['valid_queries'] = card.valid_queries
    skipped = len(query) - card.valid_queries
    if skipped:
        report.add(
            'warning',
            'query-without-match',
            'query',
            f'{skipped} of {len(query)} queries are not scored under the protocol '
            f'{protocol.name!r}: the persons of {card.skipped_absent} are not in the gallery, '
            f'those of {card.skipped_same_camera} are there under the camera of the query only',
            [item['frame_paths'][0] for item in unmatched],
            count=skipped,
        )
    elif protocol.query_in_gallery and unmatched:
        report.add(
            'note',
            'query-match-among-queries',
            'query',
            f'{len(unmatched)} of {len(query)} queries have their only match among the '
            f'other queries ({len(absent)} of {len({i["pid"] for i in absent})} persons who are '
            f'absent from the gallery, {len(alone)} under the same camera only); a protocol '
            'without queries in the gallery would not score them',
            count=len(unmatched),
        )
    for notice in card.notices:
        report.add('warning', 'query-own-camera', 'query', notice, count=len(query))
    if unknown and protocol.same_camera == 'drop':
        report.add(
            'warning',
            'camera-unknown-dropped',
            'all',
            f'{unknown} tracklets have no camera, and the protocol drops matches of the same '
            "camera; set the protocol's same_camera='keep'",
            count=unknown,
        )
    if protocol.same_camera == 'keep' and unknown == 0 and len({i['camid'] for i in items}) > 1:
        report.add(
            'note',
            'same-camera-kept',
            'all',
            'all cameras are known, but matches of the same camera count; usual numbers drop them: '
            "set the protocol to 'market'",
        )
