import numpy as np
import pytest
from PIL import Image

from csipreid.apis.tracklets import describe_tracklets


def crop(*shape, dtype=np.uint8):
    return np.zeros(shape, dtype)


@pytest.fixture
def folder(tmp_path):
    for name in ('2.jpg', '10.jpg', '._2.jpg', '.DS_Store', 'list.txt'):
        (tmp_path / name).touch()
    return tmp_path


def test_a_folder_is_listed_as_by_the_data_sets(folder):
    (item,) = describe_tracklets([folder], 'queries')
    assert item['frame_paths'] == [str(folder / '2.jpg'), str(folder / '10.jpg')]
    assert item['given'] is None


def test_crops_keep_their_sizes_and_pictures_become_rgb():
    crops = [crop(9, 4, 3), Image.new('L', (5, 8), 7), Image.new('RGBA', (2, 3), (1, 2, 3, 0))]
    (item,) = describe_tracklets([crops], 'queries')
    assert [frame.shape for frame in item['given']] == [(9, 4, 3), (8, 5, 3), (3, 2, 3)]
    assert item['given'][1][0, 0].tolist() == [7, 7, 7]
    assert item['given'][2][0, 0].tolist() == [1, 2, 3]
    assert len(item['frame_paths']) == 3


@pytest.mark.parametrize(
    ('tracklet', 'message'),
    [
        (crop(9, 4, 3), r'gallery\[1\]: an array of frames must be uint8 of shape \(T, H, W, 3\)'),
        (crop(2, 0, 4, 3), r'gallery\[1\], frame 0 must be .* not empty, .* \(0, 4, 3\)'),
        ([crop(9, 4, 3), crop(9, 0, 3)], r'gallery\[1\], frame 1 must be .* \(9, 0, 3\)'),
        ([crop(9, 4, 1)], r'frame 0 must be uint8 of shape \(H, W, 3\)'),
        ([crop(9, 4)], r'frame 0 must be uint8 of shape \(H, W, 3\)'),
        ([crop(9, 4, 3, dtype=np.float32)], 'frame 0 must be .* got float32'),
        (['a.jpg', crop(9, 4, 3)], 'frame 0 is a str; a tracklet is a folder of images, a list'),
        ([None], 'frame 0 is a NoneType; a tracklet is'),
        (7, r'gallery\[1\] is a int; a tracklet is'),
        ([], 'a tracklet needs at least one frame'),
        (crop(0, 9, 4, 3), 'a tracklet needs at least one frame'),
        (['nowhere.jpg', 'none.jpg'], 'gallery.1.: 2 of 2 images not found, the first is nowhere'),
        (__file__, r'gallery\[1\] is the file .*; a tracklet is a folder'),
    ],
)
def test_what_is_no_tracklet_is_named(tracklet, message):
    with pytest.raises((TypeError, ValueError, FileNotFoundError), match=message):
        describe_tracklets([crop(1, 9, 4, 3), tracklet], 'gallery')


def test_a_folder_without_images_says_which_are_read(folder):
    for name in ('2.jpg', '10.jpg'):
        (folder / name).unlink()
    with pytest.raises(ValueError, match=r'holds no image: read are \.jpg, .* found are \.txt'):
        describe_tracklets([folder], 'queries')
