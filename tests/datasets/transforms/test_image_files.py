import cv2
import numpy as np
import pytest

from csipreid.datasets.transforms.image_files import decode_image


def test_a_png_comes_back_as_rgb(tmp_path):
    image = np.random.default_rng(0).integers(256, size=(6, 4, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / '1.png'), image[..., ::-1])
    assert np.array_equal(decode_image(str(tmp_path / '1.png')), image)


def test_a_missing_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        decode_image(str(tmp_path / 'none.png'))
