import pytest
import torch

from csipreid.models.backbones.published_encoding import PUBLISHED_H36M_ENCODING
from csipreid.registry import MODELS


def build(**kwargs):
    config = dict(
        type='SkeletonGraphTransformer',
        embed_dim=16,
        depth=2,
        num_heads=2,
        feedforward_channels=32,
        dropout=0.3,
    )
    return MODELS.build(config | kwargs)


def slow_forward(encoder, skeleton):
    """One skeleton (V, 3), head by head."""
    h = encoder.joint_embed[2](encoder.joint_embed[0](skeleton).relu())
    h = h + encoder.encoding_embed(encoder.encoding)
    for layer in encoder.layers:
        query, key, value = layer.qkv(h).chunk(3, dim=1)
        heads = []
        for part in (slice(0, 8), slice(8, 16)):
            logits = (query[:, part] @ key[:, part].T / 8**0.5).clamp(-5, 5)
            heads.append(logits.softmax(dim=1) @ value[:, part])
        h = layer.norm1(h + layer.proj(torch.cat(heads, dim=1)))
        h = layer.norm2(h + layer.ffn[3](layer.ffn[0](h).relu()))
    return h


@pytest.mark.parametrize('scale', [1.0, 100.0])
def test_equals_a_transformer_written_out(scale):
    encoder = build().eval()
    skeletons = scale * torch.randn(2, 3, 17, 3)
    expected = torch.stack([slow_forward(encoder, s) for s in skeletons.flatten(0, 1)])
    torch.testing.assert_close(
        encoder(skeletons), expected.view(2, 3, 17, 16), atol=1e-5, rtol=1e-5
    )


def test_frames_do_not_see_one_another():
    encoder = build().eval()
    skeletons = torch.randn(2, 3, 17, 3)
    before = encoder(skeletons)
    skeletons[1, 2] += 1
    after = encoder(skeletons)
    changed = (after - before).abs().amax(dim=(2, 3)) > 1e-6
    assert changed.tolist() == [[False] * 3, [False, False, True]]


def test_permuting_the_batch_permutes_the_features():
    encoder = build().eval()
    skeletons, order = torch.randn(3, 2, 17, 3), torch.tensor([2, 0, 1])
    torch.testing.assert_close(encoder(skeletons[order]), encoder(skeletons)[order])


def test_gradient_reaches_every_parameter():
    encoder = build()
    encoder(torch.randn(2, 3, 17, 3)).cos().sum().backward()
    assert [n for n, p in encoder.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize('random_signs', [False, True])
def test_evaluation_is_deterministic(random_signs):
    encoder = build(random_signs=random_signs).eval()
    skeletons = torch.randn(2, 3, 17, 3)
    assert torch.equal(encoder(skeletons), encoder(skeletons))


def test_random_signs_change_training():
    encoder = build(random_signs=True, dropout=0.0).train()
    skeletons = torch.randn(1, 1, 17, 3)
    outputs = [encoder(skeletons) for _ in range(4)]
    assert any(not torch.equal(outputs[0], output) for output in outputs[1:])


def test_encoding_is_in_the_checkpoint():
    published = build(encoding='published')
    encoder = build()
    assert not torch.equal(encoder.encoding, published.encoding)
    encoder.load_state_dict(published.state_dict())
    assert torch.equal(encoder.encoding, torch.tensor(PUBLISHED_H36M_ENCODING))


def test_default_encoding_has_orthonormal_columns():
    encoding = build().encoding
    torch.testing.assert_close(encoding.T @ encoding, torch.eye(10), atol=1e-6, rtol=0)


def test_wrong_joint_count_is_named():
    with pytest.raises(ValueError, match=r"\(B, T, 17, 3\) for layout 'h36m', got \(2, 3, 20, 3\)"):
        build()(torch.zeros(2, 3, 20, 3))


def test_published_table_fits_ten_eigenvectors_only():
    with pytest.raises(ValueError, match="got 'h36m' with 4"):
        build(encoding='published', num_eigenvectors=4)


def test_unknown_encoding_is_named():
    with pytest.raises(ValueError, match="got 'sine'"):
        build(encoding='sine')


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match='got 3 and 16'):
        build(num_heads=3)


def test_scale_free_encoder_does_not_see_size():
    encoder, skeletons = build(scale_free=True).eval(), torch.randn(2, 3, 17, 3)
    torch.testing.assert_close(encoder(1.3 * skeletons), encoder(skeletons))


def test_bones_are_vectors_from_the_parents():
    encoder, skeletons = build(bones=True).eval(), torch.randn(1, 2, 17, 3)
    prepared = encoder._prepare(skeletons)
    assert prepared.shape == (1, 2, 17, 6)
    # H36M: the right knee (2) hangs from the right hip (1), the root (0) from nothing.
    torch.testing.assert_close(prepared[..., 2, 3:], skeletons[..., 2, :] - skeletons[..., 1, :])
    assert prepared[..., 0, 3:].eq(0).all()
