import ast
from itertools import permutations
from pathlib import Path

import pytest

from csipreid.datasets.frame_files import list_folders, list_frames, natural_sorted, require_frames


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


@pytest.mark.parametrize(
    'names',
    [
        ['c1_10.jpg', 'c10_1.jpg'],  # of equal length, with digits in other places
        ['1.jpg', '01.jpg', '001.jpg'],  # of equal numbers
        ['f9a.png', 'f10.png'],
        ['2', '10', '9'],
    ],
)
def test_the_order_does_not_depend_on_how_a_folder_is_listed(names):
    orders = {tuple(natural_sorted(order)) for order in permutations(names)}
    assert len(orders) == 1


def test_names_of_equal_length_sort_by_their_numbers_too():
    assert natural_sorted(['c10_1.jpg', 'c1_10.jpg']) == ['c1_10.jpg', 'c10_1.jpg']


def test_images_of_another_kind_are_told_not_lost(tmp_path):
    for name in ('1.jpg', '2.TIF', '3.TIF', 'list.txt'):
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r'read are \.jpg, .* found are 2 \.TIF, 1 \.jpg, 1 \.txt'):
        list_frames(str(tmp_path))


def test_a_folder_called_like_an_image_is_none(tmp_path):
    (tmp_path / 'old.jpg').mkdir()
    with pytest.raises(ValueError, match=r'holds no image: read are \.jpg, .* found are \.jpg'):
        require_frames(str(tmp_path))


def test_an_empty_folder_is_named(tmp_path):
    (tmp_path / '.DS_Store').touch()
    with pytest.raises(ValueError, match=r'holds no image: .* it is empty'):
        require_frames(str(tmp_path))


def test_nobody_else_lists_images():
    root = Path(__file__).parents[2]
    for path in [*(root / 'csipreid').rglob('*.py'), *(root / 'tools').rglob('*.py')]:
        if path.name in ('frame_files.py', 'arguments.py'):  # the latter names files to write
            continue
        texts = [
            n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)
        ]
        assert '.jpeg' not in texts, path
