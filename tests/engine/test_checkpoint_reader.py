import pytest
import torch

from csipreid.checkpoint import write_checkpoint
from csipreid.engine.checkpoint_reader import CheckpointReader


@pytest.fixture
def paths(tmp_path):
    for value in (1, 2):
        write_checkpoint(dict(state_dict=dict(w=torch.tensor(value))), tmp_path / f'{value}.pth')
    return tmp_path / '1.pth', tmp_path / '2.pth'


def test_what_was_looked_into_last_is_taken_once(paths):
    reader = CheckpointReader()
    seen = reader.look_into(paths[0])
    assert reader.take(str(paths[0])) is seen
    assert reader.take(paths[0]) is not seen  # it did not stay in memory


def test_another_file_or_place_is_read(paths):
    reader = CheckpointReader()
    reader.look_into(paths[0])
    assert reader.take(paths[1])['state_dict']['w'] == 2
    reader.look_into(paths[0])
    assert reader.take(paths[0], 'meta')['state_dict']['w'].device.type == 'meta'
