import pickle
import zipfile

import pytest
import torch
from torch import Tensor, nn

from csipreid.torchscript_archive import is_torchscript, read_torchscript


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        self.narrow = nn.Parameter(torch.randn(4, 2).half()[1:].T)
        self.sizes = [1, 2]
        self.register_buffer('count', torch.tensor(7))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


@pytest.mark.parametrize('traced', [True, False])
def test_tensors_are_those_that_torch_loads(tmp_path, traced):
    net = Net().eval()
    module = torch.jit.trace(net, torch.ones(2, 3)) if traced else torch.jit.script(net)
    module.save(tmp_path / 'net.pt')
    assert is_torchscript(tmp_path / 'net.pt')
    found = read_torchscript(tmp_path / 'net.pt')
    expected = torch.jit.load(tmp_path / 'net.pt').state_dict()
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value)
        assert found[name].dtype == value.dtype


class Writes(nn.Module):
    def __init__(self, path: str):
        super().__init__()
        self.path = path
        self.weight = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        return x

    @torch.jit.export
    def __getstate__(self):
        return self.path, self.weight, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, Tensor, bool]):
        torch.save(state[1], state[0])
        self.path, self.weight, self.training = state[0], state[1], state[2]


def test_methods_of_the_program_are_not_run(tmp_path):
    torch.jit.script(Writes(str(tmp_path / 'created'))).save(tmp_path / 'net.pt')
    read_torchscript(tmp_path / 'net.pt')
    assert not (tmp_path / 'created').exists()
    torch.jit.load(tmp_path / 'net.pt')
    assert (tmp_path / 'created').exists()  # the file does what the test fears


class Opens:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, 'w')


def test_classes_of_python_are_refused(tmp_path):
    torch.jit.script(Net()).save(tmp_path / 'net.pt')
    crafted = tmp_path / 'crafted.pt'
    with zipfile.ZipFile(tmp_path / 'net.pt') as old, zipfile.ZipFile(crafted, 'w') as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith('/data.pkl'):
                content = pickle.dumps(Opens(str(tmp_path / 'created')))
            new.writestr(name, content)
    with pytest.raises(ValueError, match='UnpicklingError'):
        read_torchscript(crafted)
    assert not (tmp_path / 'created').exists()


def test_views_beyond_their_storage_are_refused(tmp_path):
    torch.jit.script(Net()).save(tmp_path / 'net.pt')
    crafted = tmp_path / 'crafted.pt'
    with zipfile.ZipFile(tmp_path / 'net.pt') as old, zipfile.ZipFile(crafted, 'w') as new:
        for name in old.namelist():
            new.writestr(name, b'\0' * 4 if '/data/' in name else old.read(name))
    with pytest.raises(ValueError, match='truncated or not a TorchScript archive'):
        read_torchscript(crafted)
