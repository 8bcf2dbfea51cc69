from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from csipreid.engine.hooks.plain_checkpoint_hook import plain
from csipreid.registry import HOOKS


@pytest.fixture
def checkpoint():
    return dict(
        meta=dict(epoch=np.int64(3), seed=1, dataset_meta=OrderedDict(num_ids=np.int64(5))),
        state_dict=OrderedDict(weight=torch.ones(2)),
        message_hub=dict(
            log_scalars={'train/loss': HistoryBuffer()},
            runtime_info={'iter': 7, 'best_score': np.float64(12.5)},
            resumed_keys={'iter': True, 'train/loss': True},
        ),
        param_schedulers=[dict(base_values=[np.float64(0.1)], last_step=3)],
    )


def test_checkpoint_can_be_read_without_running_code(checkpoint, tmp_path):
    HOOKS.build(dict(type='PlainCheckpointHook')).before_save_checkpoint(None, checkpoint)
    torch.save(checkpoint, tmp_path / 'a.pth')
    loaded = torch.load(tmp_path / 'a.pth', weights_only=True)
    assert loaded['meta'] == dict(epoch=3, seed=1, dataset_meta=dict(num_ids=5))
    assert loaded['message_hub']['runtime_info'] == dict(iter=7, best_score=12.5)
    assert loaded['message_hub']['resumed_keys'] == dict(iter=True)
    assert loaded['param_schedulers'] == [dict(base_values=[0.1], last_step=3)]


def test_numpy_floats_become_pythons():
    assert type(plain(np.float64(1.5))) is float
    assert plain((np.arange(2), [np.bool_(True)])) == ([0, 1], [True])


def test_tensors_stay_the_same_object():
    tensor = torch.ones(2)
    assert plain({'a': [tensor]})['a'][0] is tensor


def test_value_without_a_plain_form_is_named():
    with pytest.raises(TypeError, match='may not hold a HistoryBuffer'):
        plain({'a': HistoryBuffer()})
