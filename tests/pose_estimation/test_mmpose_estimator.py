import sys
import types

import numpy as np
import pytest

from csipreid.registry import TASK_UTILS

CROP = np.full((8, 4, 3), (1, 2, 3), np.uint8)


@pytest.fixture
def build(monkeypatch):
    """Return a function that builds the estimator with an inferencer that finds given people."""

    def build_estimator(people, **kwargs):
        class Inferencer:
            def __init__(self, **options):
                assert options['det_model'] == 'whole_image'

            def __call__(self, image):
                assert image[0, 0].tolist() == [3, 2, 1]  # BGR
                yield dict(predictions=[people])

        module = types.ModuleType('mmpose.apis')
        module.MMPoseInferencer = Inferencer
        monkeypatch.setitem(sys.modules, 'mmpose', types.ModuleType('mmpose'))
        monkeypatch.setitem(sys.modules, 'mmpose.apis', module)
        return TASK_UTILS.build(dict(type='MMPoseEstimator', **kwargs))

    return build_estimator


def person(score, position=(1, 2, 3)):
    return dict(keypoints=[list(position)] * 17, keypoint_scores=[score] * 17)


def test_display_axes_become_camera_axes(build):
    (pose,) = build([person(0.8)])([CROP])
    assert pose.joints[0].tolist() == [-1, -3, 2]
    assert pose.confidence == pytest.approx(0.8)


def test_the_surest_of_several_people_is_taken(build):
    (pose,) = build([person(0.5), person(0.9, (4, 5, 6)), person(0.7)])([CROP])
    assert pose.joints[0].tolist() == [-4, -6, 5]


@pytest.mark.parametrize('people', [[], [person(0.1)], [person(0.9, (np.nan, 0, 0))]])
def test_nobody_or_nobody_sure_is_not_found(build, people):
    assert build(people)([CROP])[0].joints is None


def test_a_model_in_2d_is_named(build):
    with pytest.raises(ValueError, match=r'17 joints in 3D, got shape \(17, 2\)'):
        build([person(0.9, (1, 2))])([CROP])


def test_without_the_library_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmpose', None)
    with pytest.raises(ImportError, match=r'MMPoseEstimator needs mmpose.*pip install mmpose'):
        TASK_UTILS.build(dict(type='MMPoseEstimator'))
