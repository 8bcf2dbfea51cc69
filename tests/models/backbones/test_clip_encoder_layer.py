import pytest
import torch
from mmpretrain.models.backbones.vision_transformer import TransformerEncoderLayer

from csipreid.models.backbones.clip_encoder_layer import CLIPEncoderLayer


def build(activation):
    name = dict(quick_gelu='mmpretrain.QuickGELU', gelu='GELU')[activation]
    theirs = TransformerEncoderLayer(16, 2, 32, act_cfg=dict(type=name))
    return theirs, CLIPEncoderLayer(theirs, activation)


@pytest.mark.parametrize('activation', ['quick_gelu', 'gelu'])
def test_values_and_gradients_are_those_of_mmpretrain(activation):
    theirs, ours = build(activation)
    assert [n for n, _ in theirs.named_parameters()] == [n for n, _ in ours.named_parameters()]
    tokens, weights = torch.randn(2, 3, 5, 16)
    results = []
    for layer in (theirs, ours):
        layer.zero_grad()
        inputs = tokens.clone().requires_grad_()
        output = layer(inputs)
        (output * weights).sum().backward()
        results.append(
            [output.detach(), inputs.grad, *(p.grad.clone() for p in layer.parameters())]
        )
    for expected, got in zip(*results, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize('activation', ['quick_gelu', 'gelu'])
def test_first_token_alone_is_the_first_of_all(activation):
    _, layer = build(activation)
    tokens = torch.randn(3, 5, 16)
    torch.testing.assert_close(
        layer(tokens, only_first=True), layer(tokens)[:, :1], atol=1e-5, rtol=1e-5
    )


def test_feed_forward_starts_as_mmpretrain_starts_it():
    theirs, ours = build('gelu')
    weights = []
    for layer in (theirs, ours):
        torch.manual_seed(0)
        layer.init_weights()
        weights.append(layer.ffn.layers[1].weight.detach().clone())
    assert torch.equal(*weights)
