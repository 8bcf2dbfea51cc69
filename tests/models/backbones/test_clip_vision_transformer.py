import pytest
import torch
from torch.nn import functional as F

from csipreid.registry import MODELS

ARCH = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32, patch_size=4)


def build(randomize=True, **kwargs):
    config = dict(type='CLIPVisionTransformer', arch=ARCH, image_size=(16, 8), embed_dim=6)
    encoder = MODELS.build(config | kwargs)
    if randomize:
        torch.nn.init.normal_(encoder.pos_embed)
        torch.nn.init.normal_(encoder.cls_token)
    return encoder


def slow_forward(encoder, frame):
    """CLIP's image tower on one frame (3, H, W), head by head and token by token."""
    size, kernel = 4, encoder.patch_embed.projection.weight
    rows = [
        torch.einsum('chw,dchw->d', frame[:, y : y + size, x : x + size], kernel)
        for y in range(0, frame.shape[1], size)
        for x in range(0, frame.shape[2], size)
    ]
    x = encoder.pre_norm(torch.stack([encoder.cls_token[0, 0], *rows]) + encoder.pos_embed[0])
    for layer in encoder.layers:
        query, key, value = layer.attn.qkv(layer.ln1(x)).chunk(3, dim=1)
        heads = [
            (query[:, part] @ key[:, part].T / 8**0.5).softmax(dim=1) @ value[:, part]
            for part in (slice(0, 8), slice(8, 16))
        ]
        x = x + layer.attn.proj(torch.cat(heads, dim=1))
        hidden = layer.ffn.layers[0][0](layer.ln2(x))
        x = x + layer.ffn.layers[1](hidden * torch.sigmoid(1.702 * hidden))
    return encoder.ln1(x)


def test_equals_a_tower_written_out():
    encoder = build().eval()
    frames = torch.randn(2, 3, 16, 8)
    image = encoder(frames)
    expected = torch.stack([slow_forward(encoder, frame) for frame in frames])
    torch.testing.assert_close(image.tokens, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        image.projected, expected @ encoder.projection.weight.T, atol=1e-5, rtol=1e-5
    )


def test_tokens_have_the_declared_widths():
    encoder = build()
    image = encoder(torch.randn(3, 3, 16, 8))
    assert image.tokens.shape == (3, 1 + 4 * 2, encoder.feat_dim)
    assert image.projected.shape == (3, 1 + 4 * 2, encoder.embed_dim)
    assert (encoder.feat_dim, encoder.embed_dim) == (16, 6)


def test_class_offset_is_added_to_the_class_token_before_the_position():
    encoder = build().eval()
    frames, offset = torch.randn(2, 3, 16, 8), torch.randn(16)
    shifted = encoder(frames, offset.expand(2, -1)).tokens
    with torch.no_grad():
        encoder.cls_token += offset
    torch.testing.assert_close(shifted, encoder(frames).tokens)


def test_permuting_the_batch_permutes_the_tokens():
    encoder = build().eval()
    frames, offsets = torch.randn(3, 3, 16, 8), torch.randn(3, 16)
    order = torch.tensor([2, 0, 1])
    expected = encoder(frames, offsets).tokens[order]
    torch.testing.assert_close(encoder(frames[order], offsets[order]).tokens, expected)


def test_gradient_reaches_every_parameter():
    encoder = build()
    encoder(torch.randn(2, 3, 16, 8)).projected.square().sum().backward()
    assert [n for n, p in encoder.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_evaluation_is_deterministic():
    encoder = build().eval()
    frames = torch.randn(2, 3, 16, 8)
    assert torch.equal(encoder(frames).tokens, encoder(frames).tokens)


def test_frozen_encoder_stays_in_evaluation_mode():
    encoder = build(frozen=True).train()
    assert not any(module.training for module in encoder.modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())


@pytest.mark.parametrize(('arch', 'embed_dim'), [('b16', 512), ('b32', 512), ('l14', 768)])
def test_named_archs_project_as_clip_does(arch, embed_dim):
    with torch.device('meta'):
        encoder = build(randomize=False, arch=arch, image_size=(224, 224), embed_dim=None)
    assert encoder.embed_dim == embed_dim


def test_square_position_embedding_is_resized_on_load():
    small = build(image_size=(12, 12))  # 3 x 3 patches
    state_dict = small.state_dict()
    encoder = build()
    encoder.load_state_dict(state_dict)
    grid = small.pos_embed[0, 1:].reshape(3, 3, 16).permute(2, 0, 1)[None]
    expected = F.interpolate(grid, size=(4, 2), mode='bilinear').flatten(2)[0].T
    torch.testing.assert_close(encoder.pos_embed[0, 1:], expected)
    torch.testing.assert_close(encoder.pos_embed[0, 0], small.pos_embed[0, 0])


def test_position_embedding_of_the_same_shape_is_resized_on_load():
    encoder = build(image_size=(32, 16))
    encoder.load_state_dict(build().state_dict())  # 4 x 2 to 8 x 4 patches
    assert encoder.pos_embed.shape == (1, 33, 16)


def test_position_embedding_of_another_shape_is_refused():
    with pytest.raises(ValueError, match='10 patches, which is neither a square'):
        build().load_state_dict(build(image_size=(20, 8)).state_dict())


def test_frames_of_another_size_are_named():
    with pytest.raises(ValueError, match=r'size \(16, 8\) \(height, width\), got \(8, 16\)'):
        build()(torch.zeros(1, 3, 8, 16))


def test_rest_of_a_patch_is_not_seen():
    encoder = build(image_size=(18, 9)).eval()
    frames = torch.randn(1, 3, 18, 9)
    tokens = encoder(frames).tokens
    frames[:, :, 16:] = 9.0
    frames[:, :, :, 8:] = 9.0
    assert tokens.shape[1] == 1 + 4 * 2
    assert torch.equal(encoder(frames).tokens, tokens)


def test_image_smaller_than_a_patch_is_refused():
    with pytest.raises(ValueError, match=r'\(3, 8\) is smaller than one patch of 4'):
        build(image_size=(3, 8))


def test_unknown_arch_is_named():
    with pytest.raises(ValueError, match="a dict, got 'b64'"):
        build(arch='b64')


def test_incomplete_arch_is_named():
    with pytest.raises(ValueError, match=r"got \['embed_dims'\]"):
        build(arch=dict(embed_dims=16))


def test_activation_swaps():
    frames = torch.randn(1, 3, 16, 8)
    quick = build()
    exact = build(activation='gelu')
    exact.load_state_dict(quick.state_dict())
    hidden = torch.linspace(-3, 3, 7)
    assert torch.equal(exact.layers[0].ffn.layers[0][1](hidden), F.gelu(hidden))
    assert not torch.allclose(quick(frames).tokens, exact(frames).tokens, atol=1e-5)


def test_unknown_activation_is_named():
    with pytest.raises(ValueError, match=r"activation must be one of .*, got 'relu'"):
        build(activation='relu')


@pytest.mark.parametrize('offset', [False, True])
def test_global_embedding_is_the_projected_class_token(offset):
    encoder = build().eval()
    frames = torch.randn(3, 3, 16, 8)
    offsets = torch.randn(3, 16) if offset else None
    torch.testing.assert_close(
        encoder.global_embedding(frames, offsets),
        encoder(frames, offsets).projected[:, 0],
        atol=1e-5,
        rtol=1e-5,
    )


def test_global_embedding_refuses_frames_of_another_size():
    with pytest.raises(ValueError, match=r'got \(8, 16\)'):
        build().global_embedding(torch.zeros(1, 3, 8, 16))
