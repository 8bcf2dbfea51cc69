import sys
import types

import numpy as np
import pytest
import torch

from csipreid.registry import TASK_UTILS
from csipreid.skeletons import get_layout

# Names of HMR 2.0's last 19 joints, in its order.
EXTRA = (
    *('right_ankle', 'right_knee', 'right_hip', 'left_hip', 'left_knee', 'left_ankle'),
    *('right_wrist', 'right_elbow', 'right_shoulder', 'left_shoulder', 'left_elbow', 'left_wrist'),
    *('thorax', 'head', 'pelvis', 'thorax_of_mpii', 'spine', 'neck', 'head_of_h36m'),
)


class FakeDataset:
    def __init__(self, cfg, image, boxes):
        assert boxes.tolist() == [[0, 0, image.shape[1], image.shape[0]]]
        self.image = image

    def __getitem__(self, index):
        return dict(img=np.full((3, 4, 4), self.image[0, 0, 0], np.float32))


class FakeModel(torch.nn.Module):
    def forward(self, batch):
        joints = torch.arange(44.0).reshape(1, 44, 1).repeat(len(batch['img']), 1, 3)
        joints[:, :, 2] = batch['img'].mean(dim=(1, 2, 3))[:, None]
        return dict(pred_keypoints_3d=joints)


@pytest.fixture
def estimator(monkeypatch):
    modules = {
        name: types.ModuleType(name)
        for name in ('hmr2', 'hmr2.models', 'hmr2.datasets', 'hmr2.datasets.vitdet_dataset')
    }
    modules['hmr2.models'].DEFAULT_CHECKPOINT = 'default.ckpt'
    modules['hmr2.models'].load_hmr2 = lambda checkpoint: (FakeModel(), None)
    modules['hmr2.datasets.vitdet_dataset'].ViTDetDataset = FakeDataset
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return TASK_UTILS.build(dict(type='HMR2Estimator', device='cpu'))


def test_joints_are_taken_by_name(estimator):
    (pose,) = estimator([np.zeros((8, 4, 3), np.uint8)])
    for joint, position in zip(get_layout('h36m').joints, pose.joints, strict=True):
        assert position[0] == 25 + EXTRA.index(joint)


def test_crops_are_given_as_bgr_and_in_order(estimator):
    crops = [np.full((8, 4, 3), (10, 20, blue), np.uint8) for blue in (30, 40)]
    assert [pose.joints[0, 2] for pose in estimator(crops)] == [30, 40]
    assert estimator(crops)[0].confidence == 1


def test_without_the_library_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'hmr2', None)
    with pytest.raises(ImportError, match=r'HMR2Estimator needs hmr2.*4D-Humans'):
        TASK_UTILS.build(dict(type='HMR2Estimator'))
