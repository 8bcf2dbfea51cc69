import pytest
import torch
from mmengine.registry import DefaultScope

from csipreid.registry import MODELS

RESNET = dict(type='ResNet', depth=18, base_channels=8, stem_channels=8)
VIT = dict(
    type='VisionTransformer',
    arch=dict(embed_dims=16, num_layers=1, num_heads=2, feedforward_channels=32),
    img_size=(32, 16),
    patch_size=8,
    out_type='raw',
)


def build(backbone=RESNET, **kwargs):
    return MODELS.build(
        dict(
            type='MMPretrainImageEncoder',
            backbone=backbone,
            image_size=(64, 32),
            embed_dim=6,
            **kwargs,
        )
    )


def test_backbone_is_found_within_a_run_of_ours():
    with DefaultScope.overwrite_default_scope('csipreid'):
        assert type(build().backbone).__name__ == 'ResNet'


def test_map_becomes_its_mean_and_its_cells_row_by_row():
    encoder = build().eval()
    frames = torch.randn(2, 3, 96, 64)
    image = encoder(frames)
    feature_map = encoder.backbone(frames)[-1]  # (2, 64, 3, 2)
    assert image.tokens.shape == (2, 1 + 3 * 2, encoder.feat_dim)
    torch.testing.assert_close(image.tokens[:, 0], feature_map.mean(dim=(2, 3)))
    torch.testing.assert_close(image.tokens[:, 1 + 2 * 2 + 1], feature_map[:, :, 2, 1])


def test_width_is_read_from_the_backbone():
    assert build().feat_dim == 64


def test_token_sequence_is_kept():
    encoder = build(VIT).eval()
    frames = torch.randn(2, 3, 32, 16)
    image = encoder(frames)
    assert torch.equal(image.tokens, encoder.backbone(frames)[-1])
    assert image.projected.shape == (2, 9, 6)


def test_vector_becomes_the_only_token():
    image = build(VIT | dict(out_type='cls_token')).eval()(torch.randn(2, 3, 32, 16))
    assert image.tokens.shape == (2, 1, 16)


def test_class_offset_moves_the_global_token_alone():
    encoder = build().eval()
    frames, offset = torch.randn(2, 3, 64, 32), torch.randn(2, 64)
    plain, moved = encoder(frames).tokens, encoder(frames, offset).tokens
    torch.testing.assert_close(moved[:, 0], plain[:, 0] + offset)
    torch.testing.assert_close(moved[:, 1:], plain[:, 1:])


def test_permuting_the_batch_permutes_the_tokens():
    encoder = build().eval()
    frames, order = torch.randn(3, 3, 64, 32), torch.tensor([2, 0, 1])
    expected = encoder(frames).tokens[order]
    torch.testing.assert_close(encoder(frames[order]).tokens, expected, atol=1e-5, rtol=1e-5)


def test_gradient_reaches_every_parameter():
    encoder = build()
    encoder(torch.randn(2, 3, 64, 32)).projected.square().sum().backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None] == []


def test_evaluation_is_deterministic():
    encoder, frames = build().eval(), torch.randn(2, 3, 64, 32)
    assert torch.equal(encoder(frames).tokens, encoder(frames).tokens)


def test_probing_the_width_leaves_batch_statistics_alone():
    encoder = build()
    assert encoder.backbone.bn1.running_mean.eq(0).all()
    assert encoder.backbone.bn1.training


def test_frozen_encoder_stays_in_evaluation_mode():
    encoder = build(frozen=True).train()
    assert not any(module.training for module in encoder.modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


def test_output_of_another_shape_is_refused():
    encoder = build()
    encoder.backbone = torch.nn.Flatten(start_dim=0)
    with pytest.raises(ValueError, match=r'shape \(6144,\)'):
        encoder(torch.zeros(1, 3, 64, 32))


@pytest.mark.parametrize('backbone', [RESNET, VIT])
@pytest.mark.parametrize('offset', [False, True])
def test_global_embedding_is_the_projected_global_token(backbone, offset):
    encoder = build(backbone).eval()
    frames = torch.randn(2, 3, 32, 16)
    offsets = torch.randn(2, encoder.feat_dim) if offset else None
    torch.testing.assert_close(
        encoder.global_embedding(frames, offsets), encoder(frames, offsets).projected[:, 0]
    )
