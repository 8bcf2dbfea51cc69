import pytest
import torch

from csipreid.registry import MODELS


def build(**kwargs):
    torch.manual_seed(0)
    return MODELS.build(dict(dict(type='TranSGEncoder', layout='kinect20', embed_dim=16), **kwargs))


def slow_attention(weight, joints, num_heads):
    """One layer for one skeleton (V, D), head by head and joint by joint."""
    width = joints.shape[1]
    size = width // num_heads
    result = torch.zeros_like(joints)
    for head in range(num_heads):
        rows = slice(head * size, (head + 1) * size)
        query, key, value = (
            joints @ weight[part * width : (part + 1) * width][rows].T for part in range(3)
        )
        for joint in range(len(joints)):
            logits = torch.stack([query[joint] @ other / size**0.5 for other in key])
            weights = logits.clamp(-5, 5).softmax(dim=0)
            result[joint, rows] = (weights[:, None] * value).sum(dim=0)
    return result


def test_layers_follow_one_another_as_written():
    encoder = build(num_heads=4).eval()
    skeleton = torch.randn(20, 3)
    with torch.no_grad():
        for layer in encoder.layers:
            layer.weight.mul_(0.2)
        h = encoder.joint_embed(skeleton) + encoder.encoding_embed(encoder.encoding)
        attended = h
        for layer in encoder.layers:
            attended = slow_attention(layer.weight, attended, 4)
        scale = (1 + 1e-3) ** -0.5  # of a batch norm with the statistics 0 and 1
        hidden = (h + encoder.proj(attended)) * scale
        expected = (hidden + encoder.ffn(hidden)) * scale
        torch.testing.assert_close(
            encoder(skeleton[None, None])[0, 0], expected, atol=1e-5, rtol=1e-4
        )


def test_batch_norm_is_updated():
    encoder = build()
    before = encoder.norm1.running_mean.clone()
    encoder(torch.randn(2, 3, 20, 3))
    assert not torch.equal(encoder.norm1.running_mean, before)


def test_permuting_the_batch_permutes_the_output_and_frames_do_not_mix():
    encoder = build().eval()
    clips = torch.randn(3, 4, 20, 3)
    out = encoder(clips)
    torch.testing.assert_close(encoder(clips[[2, 0, 1]]), out[[2, 0, 1]], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(encoder(clips[:, 1:2]), out[:, 1:2], atol=1e-4, rtol=1e-4)
    assert out.shape == (3, 4, 20, 16)


def test_gradient_reaches_every_parameter():
    encoder = build()
    encoder(torch.randn(2, 3, 20, 3)).square().sum().backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None] == []


def test_other_joints_are_refused():
    with pytest.raises(ValueError, match="20, 3\\) for layout 'kinect20'"):
        build()(torch.zeros(1, 2, 17, 3))
