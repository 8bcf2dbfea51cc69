import pytest
import torch

from csipreid.registry import MODELS


def build(skeleton_dim=6, **kwargs):
    config = dict(
        type='SkeletonGuidedTemporalModeling', feat_dim=8, skeleton_dim=skeleton_dim, num_heads=2
    )
    module = MODELS.build(config | kwargs)
    for name, parameter in module.named_parameters():  # biases and scores that start at zero
        if name.endswith('bias') or name.startswith('score'):
            torch.nn.init.normal_(parameter, std=0.5)
    return module


def tokens(batch=3, frames=4):
    return torch.randn(batch, frames, 5, 8), torch.randn(batch, frames, 17, 6)


def attend(attention, query, memory):
    """Multi-head attention from (Q, W) to (M, W), head by head."""
    q, k, v = (
        source @ weight.T + bias
        for source, weight, bias in zip(
            (query, memory, memory),
            attention.in_proj_weight.chunk(3),
            attention.in_proj_bias.chunk(3),
            strict=True,
        )
    )
    parts = (slice(0, 4), slice(4, 8))
    heads = [(q[:, p] @ k[:, p].T / 2).softmax(dim=1) @ v[:, p] for p in parts]
    return attention.out_proj(torch.cat(heads, dim=1))


def slow_forward(module, image, skeletons=None):
    """One clip, frame by frame: image (T, L, W), skeletons (T, V, P) or None."""
    messages = module.image_message(image.mean(dim=1))  # (T, W)
    normed = module.image_message_norm(messages)
    messages = messages + attend(module.image_message_attn, normed, normed)
    if skeletons is not None:
        skeletons = module.skeleton_message(skeletons)  # (T, V, W)
        guides = skeletons.mean(dim=1)
        normed = module.skeleton_message_norm(guides)
        guides = guides + attend(module.skeleton_message_attn, normed, normed)
        messages = messages + attend(
            module.cross_attn, module.cross_image_norm(messages), module.cross_skeleton_norm(guides)
        )
    frames = []
    for t in range(len(image)):
        groups = [image[t], messages[t, None]]
        if skeletons is not None:
            groups += [skeletons[t], guides[t, None]]
        x = torch.cat([group + module.type_embed[i] for i, group in enumerate(groups)])
        normed = module.norm1(x)
        x = x + attend(module.attn, normed, normed)
        x = x + module.ffn[3](torch.nn.functional.gelu(module.ffn[0](module.norm2(x))))
        weights = module.score(x).sigmoid()
        frames.append((weights * x).sum(dim=0) / (weights.sum() + 1e-6))
    return torch.stack(frames)


@pytest.mark.parametrize('frames', [1, 4, 9])
def test_equals_the_method_written_out(frames):
    module = build().eval()
    image, skeletons = tokens(frames=frames)
    expected = [slow_forward(module, i, s) for i, s in zip(image, skeletons, strict=True)]
    torch.testing.assert_close(
        module(image, skeletons), torch.stack(expected), atol=1e-5, rtol=1e-5
    )


def test_frames_alone_equal_the_method_written_out():
    module = build().eval()
    image, _ = tokens()
    expected = torch.stack([slow_forward(module, i) for i in image])
    torch.testing.assert_close(module(image), expected, atol=1e-5, rtol=1e-5)


def test_clip_without_any_skeleton_is_processed_as_in_testing():
    module = build().eval()
    image, skeletons = tokens()
    valid = torch.ones(3, 4, dtype=torch.bool)
    valid[1] = False
    mixed = module(image, skeletons, valid)
    torch.testing.assert_close(mixed[1], module(image)[1])
    torch.testing.assert_close(mixed[[0, 2]], module(image, skeletons)[[0, 2]])


def test_frame_without_skeleton_does_not_matter():
    module = build().eval()
    image, skeletons = tokens()
    valid = torch.ones(3, 4, dtype=torch.bool)
    valid[1, 2] = False
    before = module(image, skeletons, valid)
    skeletons[1, 2] += 5
    torch.testing.assert_close(module(image, skeletons, valid), before, atol=0, rtol=0)


def test_skeletons_of_a_clip_reach_no_other_clip():
    module = build().eval()
    image, skeletons = tokens()
    before = module(image, skeletons)
    skeletons[0] += 1
    changed = (module(image, skeletons) - before).abs().amax(dim=(1, 2)) > 1e-6
    assert changed.tolist() == [True, False, False]


def test_scrambled_skeletons_reach_other_clips():
    module = build(scrambled_skeletons=True).eval()
    image, skeletons = tokens()
    before = module(image, skeletons)
    skeletons[0] += 1
    assert ((module(image, skeletons) - before).abs().amax(dim=(1, 2)) > 1e-6).all()


def test_permuting_the_batch_permutes_the_features():
    module = build().eval()
    image, skeletons = tokens()
    order = torch.tensor([2, 0, 1])
    expected = module(image, skeletons)[order]
    torch.testing.assert_close(module(image[order], skeletons[order]), expected)


@pytest.mark.parametrize('any_valid', [True, False])
def test_every_parameter_has_a_gradient(any_valid):
    module = build()
    valid = torch.full((3, 4), any_valid)
    module(*tokens(), valid).square().sum().backward()
    assert [name for name, p in module.named_parameters() if p.grad is None] == []
    assert all(p.grad.isfinite().all() for p in module.parameters())


def test_gradient_reaches_every_parameter():
    module = build()
    module(*tokens()).square().sum().backward()
    assert [name for name, p in module.named_parameters() if not p.grad.any()] == []


def test_without_skeletons_no_part_waits_for_them():
    module = build(skeleton_dim=None)
    module(tokens()[0]).square().sum().backward()
    assert [name for name, p in module.named_parameters() if p.grad is None] == []


def test_image_encoder_gets_no_gradient():
    image, skeletons = tokens()
    module = build()
    assert module(image.requires_grad_(), skeletons.requires_grad_()).requires_grad
    module(image, skeletons).sum().backward()
    assert image.grad is None
    assert skeletons.grad.any()


def test_evaluation_is_deterministic():
    module = build().eval()
    image, skeletons = tokens()
    assert torch.equal(module(image, skeletons), module(image, skeletons))


@pytest.mark.parametrize('std', [0.02, 1.0])
def test_type_embedding_starts_with_the_given_deviation(std):
    module = MODELS.build(
        dict(
            type='SkeletonGuidedTemporalModeling',
            feat_dim=512,
            skeleton_dim=6,
            type_embed_std=std,
        )
    )
    assert module.type_embed.std().item() == pytest.approx(std, rel=0.1)


def test_unexpected_skeletons_are_refused():
    with pytest.raises(ValueError, match='skeleton_dim is None'):
        build(skeleton_dim=None)(*tokens())
