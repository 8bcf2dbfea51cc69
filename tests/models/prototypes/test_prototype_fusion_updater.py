import pytest
import torch

from csipreid.registry import MODELS


def build(**kwargs):
    config = dict(type='PrototypeFusionUpdater', embed_dim=8, num_heads=2)
    updater = MODELS.build(config | kwargs)
    for parameter in updater.parameters():  # the initial weights are too small to tell
        torch.nn.init.normal_(parameter, std=0.5)
    return updater


def slow_forward(updater, image, skeleton, memory):
    """One clip: memory (M, P)."""
    prototypes = torch.stack(
        [
            updater.gate(torch.cat([s, i])).sigmoid() * (s - i) + i
            for i, s in zip(image, skeleton, strict=True)
        ]
    )

    def attend(attention, query, source):
        q, k, v = attention.q_proj(query), attention.k_proj(source), attention.v_proj(source)
        parts = (slice(0, 4), slice(4, 8))
        heads = [(q[:, p] @ k[:, p].T / 2).softmax(dim=1) @ v[:, p] for p in parts]
        return attention.proj(torch.cat(heads, dim=1))

    memory = updater.memory_proj(memory)
    x = updater.prototype_proj(prototypes)
    for layer in updater.layers:
        normed = layer.norm1(x)
        x = x + attend(layer.self_attn, normed, normed)
        x = x + attend(layer.cross_attn, layer.norm2(x), memory)
        hidden = layer.ffn[0](layer.norm3(x))
        x = x + layer.ffn[3](hidden * torch.sigmoid(1.702 * hidden))
    return prototypes + updater.out_proj(x)


def test_equals_a_decoder_written_out_clip_by_clip():
    updater = build().eval()
    image, skeleton = torch.randn(2, 5, 8)
    memory = torch.randn(3, 6, 8)
    expected = torch.stack([slow_forward(updater, image, skeleton, m) for m in memory])
    torch.testing.assert_close(updater(image, skeleton, memory), expected, atol=1e-4, rtol=1e-4)


def test_hidden_tokens_do_not_matter():
    updater = build().eval()
    image, skeleton = torch.randn(2, 5, 8)
    memory = torch.randn(3, 6, 8)
    valid = torch.ones(3, 6, dtype=torch.bool)
    valid[1, 4:] = False
    masked = updater(image, skeleton, memory, valid)
    torch.testing.assert_close(masked[1:2], updater(image, skeleton, memory[1:2, :4]))
    torch.testing.assert_close(masked[[0, 2]], updater(image, skeleton, memory[[0, 2]]))


def test_gate_in_the_middle_gives_the_mean():
    updater = build()
    torch.nn.init.zeros_(updater.gate[2].weight)
    torch.nn.init.zeros_(updater.gate[2].bias)
    image, skeleton = torch.randn(2, 5, 8)
    torch.testing.assert_close(updater.fuse(image, skeleton), (image + skeleton) / 2)


def test_open_gate_gives_the_skeletons():
    updater = build()
    torch.nn.init.zeros_(updater.gate[2].weight)
    torch.nn.init.constant_(updater.gate[2].bias, 50.0)
    image, skeleton = torch.randn(2, 5, 8)
    torch.testing.assert_close(updater.fuse(image, skeleton), skeleton)


def test_permuting_the_batch_permutes_the_result():
    updater = build().eval()
    image, skeleton = torch.randn(2, 5, 8)
    memory, order = torch.randn(3, 6, 8), torch.tensor([2, 0, 1])
    expected = updater(image, skeleton, memory)[order]
    torch.testing.assert_close(updater(image, skeleton, memory[order]), expected)


def test_permuting_the_identities_permutes_the_result():
    updater = build().eval()
    image, skeleton = torch.randn(2, 3, 8)
    memory, order = torch.randn(2, 6, 8), torch.tensor([2, 0, 1])
    expected = updater(image, skeleton, memory)[:, order]
    torch.testing.assert_close(updater(image[order], skeleton[order], memory), expected)


def test_dropout_draws_for_each_clip():
    updater = build(num_layers=1, dropout=0.5).train()
    for module in updater.layers[0].cross_attn.modules():
        for parameter in module.parameters(recurse=False):
            torch.nn.init.zeros_(parameter)
    updater.layers[0].ffn = torch.nn.Identity()
    image, skeleton = torch.randn(2, 5, 8)
    result = updater(image, skeleton, torch.randn(1, 6, 8).expand(2, -1, -1))
    assert not torch.allclose(result[0], result[1])


def test_gradient_reaches_every_parameter():
    updater = build()
    image, skeleton = torch.randn(2, 5, 8)
    updater(image, skeleton, torch.randn(3, 6, 8)).square().sum().backward()
    assert [n for n, p in updater.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_evaluation_is_deterministic():
    updater = build().eval()
    image, skeleton = torch.randn(2, 5, 8)
    memory = torch.randn(3, 6, 8)
    assert torch.equal(updater(image, skeleton, memory), updater(image, skeleton, memory))


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match='got 3 and 8'):
        build(num_heads=3)


def test_prompt_of_images_alone_is_the_updater_with_equal_prototypes():
    fused = build().eval()
    alone = MODELS.build(dict(type='SequenceSpecificPrompt', embed_dim=8, num_heads=2)).eval()
    state = {k: v for k, v in fused.state_dict().items() if not k.startswith('gate.')}
    alone.load_state_dict(state)
    image, memory = torch.randn(5, 8), torch.randn(3, 6, 8)
    torch.testing.assert_close(alone(image, memory), fused(image, image, memory))
    assert (alone(image, memory)[0] - alone(image, memory)[1]).abs().max() > 1e-3
