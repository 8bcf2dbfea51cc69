import pytest
import torch

from csipreid.registry import MODELS


def build():
    return MODELS.build(dict(type='CameraEmbedding', num_cams=3, dim=4))


def test_known_camera_gets_its_row():
    embedding = build()
    assert torch.equal(embedding([2, 0, 2]), embedding.weight[[2, 0, 2]])


def test_unknown_camera_gets_the_mean_of_all():
    embedding = build()
    torch.testing.assert_close(embedding([-1])[0], embedding.weight.mean(dim=0))


def test_gradient_reaches_the_table_from_unknown_cameras_alone():
    embedding = build()
    embedding([-1, -1]).sum().backward()
    torch.testing.assert_close(embedding.weight.grad, torch.full((3, 4), 2 / 3))


@pytest.mark.parametrize('camid', [3, -2])
def test_camera_out_of_range_is_named(camid):
    with pytest.raises(ValueError, match=rf'in \[0, 2\] or -1 when unknown, got \[{camid}\]'):
        build()([0, camid])


def test_rejects_no_cameras():
    with pytest.raises(ValueError, match='num_cams must be at least 1, got 0'):
        MODELS.build(dict(type='CameraEmbedding', num_cams=0, dim=4))


def test_no_cameras_at_all_are_one_unknown_for_all():
    embedding = build()
    assert torch.equal(embedding(None), embedding([-1]))
