"""Values of the command line are refused before any work."""

import argparse
import os

import pytest

from csipreid.arguments import (
    device,
    image_file,
    output_file,
    output_folder,
    real,
    whole,
    why_not_writable,
)


def refusal(kind, text):
    with pytest.raises(argparse.ArgumentTypeError) as error:
        kind(text)
    return str(error.value)


def test_whole_numbers_have_bounds():
    assert whole(1)('1') == 1
    assert whole(2, 9)('9') == 9
    assert refusal(whole(1), '0') == 'must be a whole number from 1, got 0'
    assert refusal(whole(2, 9), '10') == 'must be a whole number from 2 to 9, got 10'
    assert refusal(whole(0), '1.5') == "must be a whole number from 0, got '1.5'"


def test_other_numbers_are_finite_and_have_bounds():
    assert real(lowest=0, highest=1)('0') == 0
    assert real(above=0)('1e-3') == 1e-3
    assert refusal(real(above=0), '0') == "must be a number above 0, got '0'"
    assert refusal(real(lowest=0, highest=1), '2') == "must be a number from 0 to 1, got '2'"
    assert 'got' in refusal(real(), 'nan')
    assert 'got' in refusal(real(), 'inf')


def test_device_is_one_on_which_torch_computes():
    assert device('cpu') == 'cpu'
    assert refusal(device, 'gpu0').startswith("cannot compute on 'gpu0': ")
    assert '\n' not in refusal(device, 'meta')  # a tensor there holds nothing


def test_files_and_folders_that_can_be_written(tmp_path):
    file = tmp_path / 'file'
    file.touch()
    assert output_file(str(file)) == file
    assert output_file(str(tmp_path / 'new' / 'deep.json')) == tmp_path / 'new' / 'deep.json'
    assert output_folder(str(tmp_path)) == tmp_path
    assert output_folder(str(tmp_path / 'new' / 'deep')) == tmp_path / 'new' / 'deep'
    assert image_file(str(tmp_path / 'a.PNG')).name == 'a.PNG'
    assert os.listdir(tmp_path) == ['file']  # nothing is made by asking


def test_files_and_folders_that_cannot_be_written_are_told_apart(tmp_path, monkeypatch):
    file = tmp_path / 'file'
    file.touch()
    assert refusal(output_file, str(tmp_path)).endswith('is a folder; name a file')
    assert refusal(output_folder, str(file)).endswith('is a file; name a folder')
    assert f'{file} is a file' in refusal(output_file, str(file / 'below' / 'it'))
    assert f'{file} is a file' in refusal(output_folder, str(file / 'below'))
    assert 'is no name of a file' in refusal(output_file, '')
    assert 'is no name of a folder' in refusal(output_folder, 'a\0b')
    assert 'must end in one of .png' in refusal(image_file, 'plot.npz')
    assert 'File name too long' in refusal(output_file, 'a' * 5000)
    monkeypatch.setattr(os, 'access', lambda path, mode: str(path) != str(tmp_path))
    assert why_not_writable(tmp_path / 'new').endswith(f'no right to write in {tmp_path}')
    assert why_not_writable(tmp_path / 'new', file=False)
    assert why_not_writable(tmp_path.parent / 'new') is None
