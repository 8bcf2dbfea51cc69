import pickle

import pytest
import torch
from torch import nn

from csipreid.checkpoint import (
    data_sizes,
    fill_module,
    read_checkpoint,
    select_part,
    write_checkpoint,
)


def test_bare_state_dict_is_wrapped(tmp_path):
    torch.save({'weight': torch.ones(2)}, tmp_path / 'a.pth')
    assert read_checkpoint(tmp_path / 'a.pth')['state_dict']['weight'].tolist() == [1, 1]


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'b\.pth not found'):
        read_checkpoint(tmp_path / 'b.pth')


def test_truncated_file_is_refused(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save({'weight': torch.ones(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match='truncated or not a checkpoint'):
        read_checkpoint(path)


@pytest.mark.parametrize('length', [3, 30, 100, 400, 900])
def test_truncated_file_of_the_old_format_is_refused(tmp_path, length):
    path = tmp_path / 'a.pth'
    torch.save({'weight': torch.ones(300)}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match='truncated or not a checkpoint'):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ('content', 'name'),
    [
        (b'', 'an empty file'),
        (b'\n<!DOCTYPE html><html><body>Sign in</body></html>', 'an HTML page'),
        (b'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3\n', 'git-lfs'),
        (b'hello, these are no weights\n', 'plain text'),
        (b'{"message": "Not Found"}', 'JSON'),
        (b'\x93NUMPY\x01\x00', 'a NumPy array'),
    ],
)
def test_what_is_no_checkpoint_is_named_by_its_content(tmp_path, content, name):
    (tmp_path / 'a.pth').write_bytes(content)
    with pytest.raises(ValueError, match=f'a.pth is not a checkpoint but .*{name}'):
        read_checkpoint(tmp_path / 'a.pth')


def test_a_program_is_no_checkpoint(tmp_path):
    torch.jit.script(nn.Linear(1, 1)).save(tmp_path / 'a.pt')
    with pytest.raises(ValueError, match='TorchScript archive, a program and no state dict') as e:
        read_checkpoint(tmp_path / 'a.pt')
    assert 'weights_only' not in str(e.value)


@pytest.mark.parametrize('sizes', [dict(num_ids='3'), dict(num_ids=1.5), dict(num_cams=10**12)])
def test_sizes_that_cannot_be_are_refused(sizes):
    meta = dict(dataset_meta=dict(num_ids=3, num_cams=2) | sizes)
    with pytest.raises(ValueError, match='must be a whole number up to'):
        data_sizes(dict(meta=meta), 'this')


@pytest.mark.parametrize(
    'content',
    [
        dict(state_dict=[1]), dict(state_dict={1: torch.ones(1)}), dict(state_dict=dict(a='x')),
        dict(state_dict=dict(a=torch.ones(1)), meta='text'),
        dict(state_dict=dict(a=torch.ones(1)), meta=dict(dataset_meta=['num_ids'])),
    ],
)  # fmt: skip
def test_a_checkpoint_of_another_shape_is_refused(tmp_path, content):
    torch.save(content, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=r'a\.pth'):
        read_checkpoint(tmp_path / 'a.pth')


class Code:
    def __reduce__(self):
        return (print, ('code ran',))


@pytest.mark.parametrize(
    'save', [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))]
)
def test_pickled_code_is_not_run(tmp_path, capsys, save):
    save({'state_dict': {'weight': Code()}}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='not a plain checkpoint'):
        read_checkpoint(tmp_path / 'a.pth')
    assert 'code ran' not in capsys.readouterr().out


def test_file_without_weights_is_refused(tmp_path):
    torch.save({'state_dict': {}}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='no state dict'):
        read_checkpoint(tmp_path / 'a.pth')


def test_part_is_selected_by_its_prefix():
    state = {'encoder.weight': torch.ones(1), 'encoder2.weight': torch.zeros(1)}
    assert list(select_part(state, 'encoder')) == ['weight']


def test_state_dict_of_the_part_itself_is_taken_whole():
    assert list(select_part({'weight': torch.ones(1)}, 'encoder')) == ['weight']


def test_missing_and_unknown_keys_are_named():
    with pytest.raises(
        ValueError, match=r'file does not fit.*1 keys are missing.*bias.*unknown: other'
    ):
        fill_module(nn.Linear(2, 3), {'weight': torch.ones(3, 2), 'other': torch.ones(1)}, 'file')


def test_optional_keys_may_be_missing():
    fill_module(nn.Linear(2, 3), {'weight': torch.ones(3, 2)}, 'file', optional=('bias',))


def test_shape_misfit_names_both_shapes():
    state = {'weight': torch.ones(4, 2), 'bias': torch.ones(4)}
    with pytest.raises(ValueError, match=r'\[4, 2\].*\[3, 2\]'):
        fill_module(nn.Linear(2, 3), state, 'file')


def test_written_checkpoint_is_whole_and_readable(tmp_path):
    path = tmp_path / 'new' / 'a.pth'
    write_checkpoint(dict(state_dict={'weight': torch.ones(2)}, meta=dict(num_ids=3)), path)
    assert read_checkpoint(path)['meta'] == dict(num_ids=3)
    assert [file.name for file in path.parent.iterdir()] == ['a.pth']


def test_failed_write_leaves_nothing(tmp_path):
    with pytest.raises((AttributeError, pickle.PicklingError)):
        write_checkpoint(dict(state_dict=lambda: None), tmp_path / 'a.pth')
    assert list(tmp_path.iterdir()) == []
