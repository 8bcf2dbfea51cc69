import pytest

from csipreid.datasets.frame_files import list_folders, list_frames, natural_sorted


def test_numbers_sort_by_value():
    assert natural_sorted(['f10.jpg', 'f9.jpg', 'f1.jpg']) == ['f1.jpg', 'f9.jpg', 'f10.jpg']


def test_text_and_numbers_mix():
    assert natural_sorted(['2', 'a', '10', 'b1']) == ['2', '10', 'a', 'b1']


def test_frames_are_visible_images_in_order(tmp_path):
    for name in ('10.JPG', '9.png', '._9.png', 'notes.txt', '1.jpeg'):
        (tmp_path / name).touch()
    assert list_frames(str(tmp_path)) == ['1.jpeg', '9.png', '10.JPG']


def test_folders_are_visible_ones_in_order(tmp_path):
    for name in ('10', '9', '.git'):
        (tmp_path / name).mkdir()
    (tmp_path / '1.jpg').touch()
    assert list_folders(str(tmp_path)) == ['9', '10']


@pytest.mark.parametrize('function', [list_frames, list_folders])
def test_a_missing_folder_is_named(tmp_path, function):
    with pytest.raises(FileNotFoundError, match=r'folder .*none not found; see README'):
        function(str(tmp_path / 'none'))
