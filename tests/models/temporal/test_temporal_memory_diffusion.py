import torch

from csipreid.registry import MODELS


def build():
    torch.manual_seed(0)
    module = MODELS.build(dict(type='TemporalMemoryDiffusion', feat_dim=8, num_heads=2))
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module.eval()


def attend(attention, tokens):
    """Attention of one sequence (M, 8), head by head."""
    query, key, value = (tokens @ attention.in_proj_weight.T + attention.in_proj_bias).chunk(3, 1)
    heads = [
        (query[:, p] @ key[:, p].T / 2).softmax(dim=1) @ value[:, p]
        for p in (slice(0, 4), slice(4, 8))
    ]
    return attention.out_proj(torch.cat(heads, dim=1))


def test_equals_the_formulas_written_out_frame_by_frame():
    module, tokens = build(), torch.randn(2, 3, 5, 8)
    for clip, found in zip(tokens, module(tokens), strict=True):
        messages = module.image_message(clip.mean(dim=1))
        messages = messages + attend(module.image_message_attn, module.image_message_norm(messages))
        for frame, message, feature in zip(clip, messages, found, strict=True):
            x = torch.cat([frame, message[None]])
            x = x + attend(module.attn, module.norm1(x))
            hidden = module.ffn[0](module.norm2(x))
            x = x + module.ffn[3](hidden * torch.sigmoid(1.702 * hidden))
            torch.testing.assert_close(feature, x.mean(dim=0), atol=1e-5, rtol=1e-5)


def test_frames_hear_of_one_another_and_clips_do_not():
    module, tokens = build(), torch.randn(2, 3, 5, 8)
    other = tokens.clone()
    other[0, 2] += 1
    before, after = module(tokens), module(other)
    assert not torch.allclose(before[0, 0], after[0, 0])
    assert torch.allclose(before[1], after[1])


def test_the_encoder_gets_no_gradient():
    tokens = torch.randn(1, 2, 3, 8, requires_grad=True)
    build()(tokens).sum().backward()
    assert tokens.grad is None
