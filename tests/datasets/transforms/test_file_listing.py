import os

from csipreid.datasets.transforms.file_listing import find_missing, find_twins


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


def test_links_of_either_kind_lead_to_one_file(tmp_path):
    touch(tmp_path / 'a/1', tmp_path / 'a/2', tmp_path / 'b/other')
    (tmp_path / 'b/soft').symlink_to(tmp_path / 'a/1')
    os.link(tmp_path / 'a/2', tmp_path / 'b/hard')
    (tmp_path / 'c').symlink_to(tmp_path / 'a')
    paths = [str(tmp_path / name) for name in ('a/1', 'a/2', 'b/other', 'b/soft', 'b/hard', 'c/1')]
    assert find_twins(paths) == [(paths[0], paths[3]), (paths[1], paths[4]), (paths[0], paths[5])]


def test_a_path_that_comes_again_has_no_twin_nor_has_one_without_a_file(tmp_path):
    touch(tmp_path / 'a/1')
    (tmp_path / 'a/2').symlink_to(tmp_path / 'none')
    paths = [str(tmp_path / name) for name in ('a/1', 'a/1', 'a/2', 'none', 'none/1')]
    assert find_twins(paths) == []
