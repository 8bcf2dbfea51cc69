import torch

from csipreid.models.backbones import ImageTokens


def test_parts_have_names():
    image = ImageTokens(torch.zeros(2, 5, 4), torch.ones(2, 5, 3))
    assert image.tokens.shape == (2, 5, 4)
    assert image.projected.shape == (2, 5, 3)
