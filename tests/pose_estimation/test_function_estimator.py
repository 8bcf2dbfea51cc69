import numpy as np
import pytest

from csipreid.registry import TASK_UTILS

CROPS = [np.zeros((4, 2, 3), np.uint8)] * 2


def build(tmp_path, body, **kwargs):
    (tmp_path / 'mine.py').write_text(f'import numpy as np\ndef estimate(crops):\n    {body}\n')
    function = f'{tmp_path / "mine.py"}:estimate'
    return TASK_UTILS.build(dict(type='FunctionEstimator', function=function, **kwargs))


def test_joints_and_none_come_through(tmp_path):
    estimator = build(tmp_path, 'return [(np.ones((17, 3)), 0.5), (None, 0)]')
    first, second = estimator(CROPS)
    assert first.joints.dtype == np.float32
    assert first.confidence == 0.5
    assert second == (None, 0)


def test_another_layout_has_other_joints(tmp_path):
    estimator = build(tmp_path, 'return [(np.ones((24, 3)), 1)] * 2', layout='smpl')
    assert estimator(CROPS)[0].joints.shape == (24, 3)


def test_a_function_of_a_module(monkeypatch, tmp_path):
    (tmp_path / 'my_poses.py').write_text(
        'def estimate(crops):\n    return [(None, 0)] * len(crops)'
    )
    monkeypatch.syspath_prepend(tmp_path)
    estimator = TASK_UTILS.build(dict(type='FunctionEstimator', function='my_poses:estimate'))
    assert estimator(CROPS) == [(None, 0)] * 2


@pytest.mark.parametrize(
    ('body', 'message'),
    [
        ('return [(None, 0)]', 'one result per crop, got 1 for 2'),
        ('return [None] * 2', 'pairs of joints and confidence, got None'),
        ('return [(np.ones((16, 3)), 1)] * 2', r'shape \(16, 3\), layout .h36m. has \(17, 3\)'),
        ('return [(np.full((17, 3), np.nan), 1)] * 2', 'returned NaN'),
        ('return [(None, 2)] * 2', r'confidence 2\.0, it must be in \[0, 1\]'),
    ],
)
def test_what_is_no_pose_is_refused(tmp_path, body, message):
    with pytest.raises(ValueError, match=message):
        build(tmp_path, body)(CROPS)


@pytest.mark.parametrize(
    ('function', 'error', 'message'),
    [
        ('estimate', ValueError, "must be 'module:name' or 'file.py:name', got 'estimate'"),
        ('nowhere.py:estimate', FileNotFoundError, r'nowhere\.py not found'),
        ('no_module:estimate', ValueError, "module 'no_module' of .* not found"),
        ('json:estimate', ValueError, "json has no function 'estimate'"),
    ],
)
def test_a_function_that_is_not_there_is_named(function, error, message):
    with pytest.raises(error, match=message):
        TASK_UTILS.build(dict(type='FunctionEstimator', function=function))
