"""The card of an evaluation: what was ranked against what, in numbers."""

from dataclasses import dataclass

import numpy as np

from csipreid.evaluation.protocol import Protocol
from csipreid.evaluation.tracklet_set import TrackletSet


@dataclass(frozen=True)
class EvaluationCard:
    """Protocol and counts of one evaluation; counts are tracklets.

    Args:
        protocol: The rules.
        queries: Queries given.
        valid_queries: Queries that have a match and are scored.
        skipped_junk: Queries left out because they carry the junk identity.
        skipped_absent: Queries whose identity is nowhere in the gallery.
        skipped_same_camera: Queries whose identity the gallery holds only under
            the query's own camera.
        gallery: Items that are ranked, without junk.
        junk: Gallery items left out because they carry the junk identity.
        distractors: Items of the gallery that carry the distractor identity.
        cameras: Different cameras among queries and gallery.
        test_mode: How clips stood for tracklets; None if the caller did not say.
        rerank: (k1, k2, lambda) of the re-ranking; None without it.
        notices: What makes the result doubtful, a sentence each.
    """

    protocol: Protocol
    queries: int
    valid_queries: int
    skipped_junk: int
    skipped_absent: int
    skipped_same_camera: int
    gallery: int
    junk: int
    distractors: int
    cameras: int
    test_mode: str | None = None
    rerank: tuple[int, int, float] | None = None
    notices: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """Return the counts by name."""
        return {key: value for key, value in vars(self).items() if isinstance(value, int)}

    def __str__(self) -> str:
        rules = self.protocol
        precision = 'at the matches' if rules.average_precision == 'step' else 'by trapezoids'
        camera = 'left out' if rules.same_camera == 'drop' else 'kept'
        rerank = 'k1 {}, k2 {}, lambda {}'.format(*self.rerank) if self.rerank else 'off'
        similarity = 'cosine' if rules.metric == 'cosine' else 'Euclidean distance'
        return '\n'.join(
            (
                f'Evaluation protocol {rules.name!r}:',
                f'  queries      {self.queries}, valid {self.valid_queries}; skipped: '
                f'{self.skipped_junk} junk, {self.skipped_absent} without their identity in the '
                f'gallery, {self.skipped_same_camera} with it under the same camera only',
                f'  gallery      {self.gallery} '
                f'({"queries included" if rules.query_in_gallery else "without the queries"}), '
                f'{self.distractors} distractors; {self.junk} junk left out',
                f'  rules        {self.cameras} cameras, same identity and camera {camera}, '
                f'average precision {precision}',
                f'  similarity   {similarity}',
                f'  test mode    {self.test_mode or "as the pipeline samples"}',
                f'  re-ranking   {rerank}',
                *(f'  WARNING      {notice}' for notice in self.notices),
            )
        )


def fill_card(
    tracklets: TrackletSet,
    protocol: Protocol,
    query_rows: np.ndarray,
    gallery_rows: np.ndarray,
) -> EvaluationCard:
    """Count what will be scored and why the rest will not.

    Args:
        tracklets: Queries and gallery.
        protocol: Rules of the evaluation.
        query_rows: Rows that query, int64, (Q,).
        gallery_rows: Rows that are ranked, int64, (G,).

    Raises:
        ValueError: If there is a single camera or no query has a match.
    """
    pid = tracklets.pid
    drop = protocol.same_camera == 'drop'
    cameras, camera = np.unique(tracklets.camid, return_inverse=True)
    used = np.unique(camera[np.union1d(query_rows, gallery_rows)])
    if drop and len(used) == 1:
        raise ValueError(
            f'all {len(query_rows)} queries and {len(gallery_rows)} gallery tracklets come from '
            'one camera, so no query can have a match under another '
            "camera; check camid, or use a protocol with same_camera='keep'"
        )
    _, person = np.unique(pid, return_inverse=True)
    under_camera = person * len(cameras) + camera  # one number for identity and camera
    of_identity = _occurrences(pid[gallery_rows], pid[query_rows])
    of_camera = _occurrences(under_camera[gallery_rows], under_camera[query_rows])
    present = of_identity > int(protocol.query_in_gallery)  # besides the query itself
    valid = of_identity - of_camera * int(drop) > 0
    distractors = pid[gallery_rows] == protocol.distractor_pid
    if (pid[query_rows] == protocol.distractor_pid).any():
        distractors[:] = False  # that number is a person in this data set
    num_queries = int(np.count_nonzero(tracklets.is_query))
    offered = len(pid) if protocol.query_in_gallery else len(pid) - num_queries
    card = EvaluationCard(
        protocol=protocol,
        queries=num_queries,
        valid_queries=int(np.count_nonzero(valid)),
        skipped_junk=num_queries - len(query_rows),
        skipped_absent=int(np.count_nonzero(~present)),
        skipped_same_camera=int(np.count_nonzero(present & ~valid)),
        gallery=len(gallery_rows),
        junk=offered - len(gallery_rows),
        distractors=int(np.count_nonzero(distractors)),
        cameras=len(used),
        notices=_notices(protocol, camera, under_camera, pid, query_rows, gallery_rows),
    )
    if card.valid_queries == 0:
        raise ValueError(
            f'no query identity appears in the gallery{" under another camera" * drop}; check the '
            f'subset, pid and camid of the test set\n{card}'
        )
    return card


def _notices(
    protocol: Protocol,
    camera: np.ndarray,
    under_camera: np.ndarray,
    pid: np.ndarray,
    query_rows: np.ndarray,
    gallery_rows: np.ndarray,
) -> tuple[str, ...]:
    """Tell if the queries stand in each other's way.

    Ranked against one another, queries are to find their matches among
    themselves too, and to meet the people of all cameras. Where no match is
    among them, or their cameras film nobody else, they only put the people of
    each query's own camera, the most similar images, before its matches.
    """
    if not protocol.query_in_gallery:
        return ()
    own, among = under_camera[query_rows], camera[query_rows]
    alike = _occurrences(own, own)  # queries of the same identity and camera
    strangers = _occurrences(among, among) - alike  # of the same camera alone
    matches = _occurrences(pid[query_rows], pid[query_rows]) - alike
    elsewhere = not np.isin(among, camera[np.setdiff1d(gallery_rows, query_rows)]).any()
    if not strangers.any() or (matches.any() and not elsewhere):
        return ()
    if len(np.unique(among)) == 1:
        what = f'all {len(among)} queries come from one camera'
    elif elsewhere:
        what = 'nothing but the queries comes from the cameras of the queries'
    else:
        what = 'no query has a match among the other queries'
    return (
        f'{what}: ranked against one another, as {protocol.name!r} does, each first meets the '
        "other people of its own camera; the protocol 'market' (the gallery without the queries) "
        'fits such a set',
    )


def _occurrences(among: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Count how often each key occurs, int64, shape of ``keys``."""
    ordered = np.sort(among)
    return np.searchsorted(ordered, keys, 'right') - np.searchsorted(ordered, keys, 'left')
