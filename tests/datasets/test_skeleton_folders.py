import os

from csipreid.datasets.skeleton_folders import find_skeleton_folder, skeleton_name
from csipreid.skeletons.packed import PACK_SUFFIX


def test_the_published_folder_is_taken_where_it_is_the_one_present(tmp_path):
    (tmp_path / 'skeleton_3d_hmr2.0/train').mkdir(parents=True)
    folder = find_skeleton_folder(str(tmp_path), 'train')
    assert folder == os.path.join(tmp_path, 'skeleton_3d_hmr2.0', 'train')


def test_a_packed_file_alone_is_a_folder_too(tmp_path):
    (tmp_path / 'skeleton_3d_hmr2.0').mkdir()
    (tmp_path / f'skeleton_3d_hmr2.0/train{PACK_SUFFIX}').touch()
    assert 'hmr2.0' in find_skeleton_folder(str(tmp_path), 'train')


def test_without_any_the_documented_folder_is_named(tmp_path):
    assert find_skeleton_folder(str(tmp_path), '') == os.path.join(tmp_path, 'skeleton_3d')


def test_only_the_suffix_of_a_name_changes():
    assert skeleton_name('a.b/frame.1.jpg') == 'a.b/frame.1.json'
