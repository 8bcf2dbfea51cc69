import pytest
import torch

from csipreid.registry import METRICS


def query(embedding, pid, camid, has_skeleton=True):
    return dict(
        skeleton_embedding=torch.tensor(embedding),
        pid=pid,
        camid=camid,
        subset='query',
        has_skeleton=has_skeleton,
    )


def gallery(embedding, pid, camid):
    return dict(image_embedding=torch.tensor(embedding), pid=pid, camid=camid, subset='gallery')


GALLERY = [gallery([1.0, 0.1], 2, 1), gallery([1.0, 0.5], 1, 1), gallery([1.0, 0.0], 1, 0)]


def evaluate(samples, **kwargs):
    metric = METRICS.build(dict(type='CrossModalRetrievalMetric', **kwargs))
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def test_skeletons_are_ranked_against_images_of_other_cameras():
    scores = evaluate([query([1.0, 0.0], 1, 0), *GALLERY])
    assert scores == {'cross_modal/mAP': pytest.approx(50), 'cross_modal/rank-1': 0}


def test_queries_without_a_skeleton_are_left_out():
    scores = evaluate([query([1.0, 0.0], 1, 0), query([0.0, 1.0], 2, 0, False), *GALLERY])
    assert scores['cross_modal/mAP'] == pytest.approx(50)


def test_no_skeleton_at_all_is_an_error():
    with pytest.raises(ValueError, match='none of the 1 queries has a skeleton'):
        evaluate([query([1.0, 0.0], 1, 0, False), *GALLERY])


def test_a_protocol_may_keep_the_same_camera():
    protocol = dict(base='csip', same_camera='keep')
    scores = evaluate([query([1.0, 0.0], 1, 0), *GALLERY], protocol=protocol)
    # The match of the same camera is first, the other third.
    assert scores == {
        'cross_modal/mAP': pytest.approx(100 * (1 + 2 / 3) / 2),
        'cross_modal/rank-1': 100,
    }


def test_queries_cannot_be_in_the_gallery():
    with pytest.raises(ValueError, match="query_in_gallery=False, got 'tfclip'"):
        METRICS.build(dict(type='CrossModalRetrievalMetric', protocol='tfclip'))
