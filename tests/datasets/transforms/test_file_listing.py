import os

from csipreid.datasets.transforms.file_listing import find_missing


def touch(*paths):
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch()


def test_present_files_are_not_missing(tmp_path):
    touch(tmp_path / 'a/1', tmp_path / 'b/2')
    assert find_missing([str(tmp_path / 'a/1'), str(tmp_path / 'b/2')]) == []


def test_missing_files_keep_their_order(tmp_path):
    touch(tmp_path / 'a/1')
    paths = [str(tmp_path / name) for name in ('none/1', 'a/2', 'a/1', 'a/0')]
    assert find_missing(paths) == [paths[0], paths[1], paths[3]]


def test_each_folder_is_listed_once(tmp_path, monkeypatch):
    touch(*(tmp_path / f'a/{n}' for n in range(50)))
    listed = []
    listdir = os.listdir
    monkeypatch.setattr(os, 'listdir', lambda folder: listed.append(folder) or listdir(folder))
    assert find_missing(str(tmp_path / f'a/{n}') for n in range(50)) == []
    assert listed == [str(tmp_path / 'a')]


def test_a_file_in_place_of_a_folder_is_no_folder(tmp_path):
    touch(tmp_path / 'a')
    assert find_missing([str(tmp_path / 'a/1')]) == [str(tmp_path / 'a/1')]
