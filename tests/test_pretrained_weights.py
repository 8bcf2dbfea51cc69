import pickle

import pytest
import torch
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader
from torch import nn

from csipreid.registry import MODELS


class Part(BaseModule):
    def __init__(self, checkpoint):
        super().__init__(dict(type='Pretrained', checkpoint=str(checkpoint)))
        self.linear = nn.Linear(2, 2)


class Code:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, 'w')


@pytest.fixture(autouse=True)
def registered():
    MODELS.get('VideoReID')  # looking up any model makes MMEngine read safely


def test_weights_of_a_config_are_read(tmp_path):
    part = Part(tmp_path / 'a.pth')
    torch.save(
        dict(state_dict={k: v + 1 for k, v in part.state_dict().items()}), tmp_path / 'a.pth'
    )
    before = part.linear.weight.clone()
    part.init_weights()
    assert torch.equal(part.linear.weight, before + 1)


@pytest.mark.parametrize('save', [torch.save, lambda v, path: path.write_bytes(pickle.dumps(v))])
def test_code_in_them_is_not_run(tmp_path, save):
    save({'state_dict': {'linear.weight': Code(str(tmp_path / 'created'))}}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='could run code'):
        Part(tmp_path / 'a.pth').init_weights()
    assert not (tmp_path / 'created').exists()


def test_downloads_and_names_of_models_are_read_the_same_way(tmp_path, monkeypatch):
    torch.save({'state_dict': {'w': Code(str(tmp_path / 'created'))}}, tmp_path / 'bad.pth')
    torch.save({'w': torch.ones(2)}, tmp_path / 'good.pth')

    def download(url, path):
        name = 'bad' if 'bad' in url else 'good'
        with open(path, 'wb') as file:
            file.write((tmp_path / f'{name}.pth').read_bytes())

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    load = CheckpointLoader.load_checkpoint
    assert load('https://host/good.pth?x=1', 'cpu')['state_dict']['w'].tolist() == [1, 1]
    monkeypatch.setattr(
        'mmengine.runner.checkpoint.get_external_models', lambda: dict(bad='http://host/bad.pth')
    )
    for name in ('https://host/bad.pth', 'openmmlab://bad'):
        with pytest.raises(ValueError, match='could run code'):
            load(name, 'cpu')
    assert not (tmp_path / 'created').exists()


@pytest.mark.parametrize('name', ['s3://bucket/a.pth', 'pavi://a', 'cluster:petrel://a'])
def test_other_stores_are_refused(name):
    with pytest.raises(ValueError, match='download it and name the file'):
        CheckpointLoader.load_checkpoint(name, 'cpu')
