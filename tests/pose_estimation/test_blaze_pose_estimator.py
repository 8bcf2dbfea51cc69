import os
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from csipreid.pose_estimation.blaze_pose_estimator import place_in_square
from csipreid.registry import TASK_UTILS
from csipreid.skeletons import get_layout

REAL_MODEL = os.environ.get(
    'CSIPREID_BLAZEPOSE',
    str(Path(__file__).parents[3] / 'shared/data/pose_model/pose_landmark_full.tflite'),
)


class FakeInterpreter:
    """A model that sees a body at the brightest column; presence is the brightest value."""

    def __init__(self, path, num_threads):
        assert num_threads == 1

    def allocate_tensors(self):
        pass

    def get_input_details(self):
        return [dict(index=0, shape=np.array([1, 64, 64, 3]))]

    def get_output_details(self):
        shapes = {1: (1, 195), 2: (1, 1), 3: (1, 117)}
        return [dict(index=i, shape=np.array(shape)) for i, shape in shapes.items()]

    def set_tensor(self, index, image):
        assert image.dtype == np.float32
        assert image.shape == (1, 64, 64, 3)
        column = image[0].sum(axis=(0, 2)).argmax()
        world = np.zeros((39, 3), np.float32)
        world[:, 0] = (column - 31.5) / 64
        world[11] = 1, 2, 3  # left shoulder
        self.tensors = {2: image.max().reshape(1, 1), 3: world.reshape(1, 117)}

    def invoke(self):
        pass

    def get_tensor(self, index):
        return self.tensors[index]


@pytest.fixture
def build(monkeypatch, tmp_path):
    module = types.ModuleType('ai_edge_litert.interpreter')
    module.Interpreter = FakeInterpreter
    monkeypatch.setitem(sys.modules, 'ai_edge_litert', types.ModuleType('ai_edge_litert'))
    monkeypatch.setitem(sys.modules, 'ai_edge_litert.interpreter', module)
    (tmp_path / 'model.tflite').touch()

    def build_estimator(**kwargs):
        return TASK_UTILS.build(
            dict(type='BlazePoseEstimator', model=str(tmp_path / 'model.tflite'), **kwargs)
        )

    return build_estimator


def crop_with_line(column, value=255):
    crop = np.zeros((32, 16, 3), np.uint8)
    crop[:, column] = value
    return crop


def test_joints_are_those_of_the_body(build):
    (pose,) = build(mirrored=False)([crop_with_line(12)])
    assert pose.joints.shape == (33, 3)
    assert pose.joints.dtype == np.float32
    assert pose.joints[11].tolist() == [1, 2, 3]
    assert pose.confidence == pytest.approx(1, abs=0.1)


def test_the_mirrored_pose_is_turned_back_before_the_mean(build):
    plain, mirrored = (build(mirrored=m)([crop_with_line(12)])[0].joints for m in (False, True))
    # What lies at x in the crop lies at -x in the mirrored one.
    assert mirrored[0, 0] == pytest.approx(plain[0, 0], abs=1 / 64)
    left, right = get_layout('blazepose').flip_pairs[5]
    assert left == 11
    assert mirrored[left, 1] == mirrored[right, 1] == 1  # half of 2, from each of the two


def test_below_the_least_presence_no_body_was_found(build):
    (pose,) = build(min_presence=0.5)([crop_with_line(12, value=100)])
    assert pose.joints is None
    assert pose.confidence == pytest.approx(100 / 255, abs=0.1)


def test_the_order_of_crops_is_kept(build):
    poses = build(mirrored=False)([crop_with_line(2), crop_with_line(13)])
    assert poses[0].joints[0, 0] < 0 < poses[1].joints[0, 0]


def test_a_crop_comes_to_the_middle_of_a_black_square():
    square = place_in_square(np.full((20, 10, 3), 200, np.uint8), size=40, margin=2.0)
    assert square.shape == (40, 40, 3)
    rows, columns = np.nonzero(square[..., 0] > 100)
    assert (rows.min(), rows.max()) == (10, 29)
    assert (columns.min(), columns.max()) == (15, 24)


def test_a_missing_model_is_named(build):
    with pytest.raises(FileNotFoundError, match=r'model none\.tflite not found; see README'):
        TASK_UTILS.build(dict(type='BlazePoseEstimator', model='none.tflite'))


@pytest.mark.parametrize('kwargs', [dict(min_presence=2), dict(margin=0.5)])
def test_impossible_arguments_are_refused(build, kwargs):
    with pytest.raises(ValueError, match='min_presence must be in'):
        build(**kwargs)


def test_without_the_runtime_the_message_says_how_to_install_it(build, monkeypatch):
    monkeypatch.setitem(sys.modules, 'ai_edge_litert.interpreter', None)
    with pytest.raises(ImportError, match=r"pip install 'csipreid\[pose\]'"):
        build()


def test_another_model_is_named(build, monkeypatch):
    monkeypatch.setattr(FakeInterpreter, 'get_output_details', lambda self: [])
    with pytest.raises(ValueError, match='not a landmark model of BlazePose'):
        build()


@pytest.mark.skipif(not os.path.isfile(REAL_MODEL), reason='the model is not here')
def test_the_real_model_finds_nobody_before_a_wall():
    pytest.importorskip('ai_edge_litert')
    estimator = TASK_UTILS.build(dict(type='BlazePoseEstimator', model=REAL_MODEL))
    wall = np.full((128, 64, 3), 128, np.uint8)
    assert estimator([wall])[0].joints is None


def test_notices_of_the_runtime_are_left_out_and_its_warnings_are_not(build, monkeypatch, capfd):
    def tell(self):
        os.write(2, b'INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\nWARNING: slow\n')

    monkeypatch.setattr(FakeInterpreter, 'allocate_tensors', tell)
    build()
    assert capfd.readouterr().err == 'WARNING: slow\n'
