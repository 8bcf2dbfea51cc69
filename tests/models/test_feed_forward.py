import pytest
import torch
from torch import nn
from torch.nn import functional as F

from csipreid.models.feed_forward import FeedForward, QuickGELU, feed_forward

PLAIN = dict(
    relu=F.relu, gelu=F.gelu, quick_gelu=lambda values: values * torch.sigmoid(1.702 * values)
)


@pytest.mark.parametrize('activation', PLAIN)
def test_values_and_gradients_are_those_of_modules(activation):
    widen, narrow = nn.Linear(6, 9).double(), nn.Linear(9, 4).double()
    x = torch.randn(2, 3, 6, dtype=torch.double, requires_grad=True)
    weights = torch.randn(2, 3, 4, dtype=torch.double)
    inputs = (x, *widen.parameters(), *narrow.parameters())
    got = feed_forward(x, widen, narrow, activation)
    expected = narrow(PLAIN[activation](widen(x)))
    torch.testing.assert_close(got, expected)
    for a, b in zip(
        torch.autograd.grad((got * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize('bits', [True, False])  # the CPU's way and that of other devices
@pytest.mark.parametrize('activation', PLAIN)
def test_gradient_is_that_of_finite_differences_with_dropout(activation, bits, monkeypatch):
    monkeypatch.setattr('csipreid.models.feed_forward.draws_bits', lambda x: bits)
    widen, narrow = nn.Linear(5, 6).double(), nn.Linear(6, 3).double()
    x = torch.randn(4, 5, dtype=torch.double, requires_grad=True)

    def run(*_):
        torch.manual_seed(0)
        return feed_forward(x, widen, narrow, activation, dropout=0.4)

    assert torch.autograd.gradcheck(run, (x, *widen.parameters(), *narrow.parameters()))


@pytest.mark.parametrize('bits', [True, False])
def test_dropout_is_between_activation_and_second_layer(bits, monkeypatch):
    monkeypatch.setattr('csipreid.models.feed_forward.draws_bits', lambda x: bits)
    narrow = nn.Linear(1000, 1000)
    nn.init.eye_(narrow.weight)
    nn.init.zeros_(narrow.bias)
    result = feed_forward(torch.ones(100, 1000), narrow, narrow, 'relu', dropout=0.3)
    assert sorted(set(result.flatten().tolist())) == pytest.approx([0, 1 / 0.7])
    assert (result == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)


def test_one_tensor_of_the_hidden_width_is_kept_for_the_gradient():
    widen, narrow = nn.Linear(2, 64), nn.Linear(64, 2)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor
    ):
        feed_forward(torch.randn(1000, 2), widen, narrow, 'quick_gelu')
    wide = {tensor.data_ptr() for tensor in kept if tensor.numel() >= 64_000}
    assert len(wide) == 1


@pytest.mark.parametrize('dtype', [torch.float, torch.double])
def test_identity_is_added(dtype):
    layer = FeedForward(6, 9, 'gelu')
    x = torch.randn(2, 4, 6, requires_grad=True)
    identity = torch.randn(2, 4, 6, dtype=dtype, requires_grad=True)
    before = identity.detach().clone()
    inputs = (x, identity, *layer.parameters())
    got = feed_forward(x, layer[0], layer[3], 'gelu', identity=identity)
    expected = identity + layer(x)
    torch.testing.assert_close(got, expected)
    weights = torch.randn(2, 4, 6, dtype=dtype)
    for a, b in zip(
        torch.autograd.grad((got * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(a, b)
    assert torch.equal(identity, before)


@pytest.mark.parametrize('activation', PLAIN)
def test_without_a_gradient_the_values_are_the_same(activation):
    layer = FeedForward(6, 9, activation)
    x = torch.randn(4, 6)
    expected = layer(x).detach()
    before = x.clone()
    with torch.no_grad():
        torch.testing.assert_close(layer(x), expected)
    assert torch.equal(x, before)


@pytest.mark.parametrize('activation', PLAIN)
def test_half_precision_is_that_of_modules(activation):
    feed_forward = FeedForward(8, 16, activation)
    plain = nn.Sequential(*feed_forward)
    x = torch.randn(5, 8)
    grads = []
    for module in (feed_forward, plain):
        module.zero_grad()
        with torch.autocast('cpu', torch.bfloat16):
            result = module(x)
        assert result.dtype == torch.bfloat16
        result.float().square().sum().backward()
        grads.append([parameter.grad.clone() for parameter in module.parameters()])
    for got, expected in zip(*grads, strict=True):
        assert got.dtype == torch.float32
        torch.testing.assert_close(got, expected, rtol=0.1, atol=0.1 * expected.abs().max())


def test_frozen_layer_passes_the_gradient():
    layer = FeedForward(6, 4, 'gelu').requires_grad_(False)
    x = torch.randn(3, 6, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad.abs().min() > 0
    assert layer[0].weight.grad is None


def test_parameters_are_named_as_in_a_sequence():
    names = [name for name, _ in FeedForward(4, 8, 'relu', 0.1).named_parameters()]
    assert names == ['0.weight', '0.bias', '3.weight', '3.bias']


def test_evaluation_does_not_drop():
    feed_forward = FeedForward(4, 8, 'gelu', 0.5).eval()
    x = torch.randn(3, 4)
    torch.testing.assert_close(feed_forward(x), nn.Sequential(*feed_forward)(x))


def test_the_dropout_layer_decides_whether_it_drops():
    layer = FeedForward(4, 8, 'gelu', 0.5)
    layer[2].eval()
    x = torch.randn(3, 4)
    torch.testing.assert_close(layer(x), nn.Sequential(*layer)(x))


@pytest.mark.parametrize('dropout', [-0.1, 1.0])
def test_a_probability_that_leaves_nothing_is_refused(dropout):
    with pytest.raises(ValueError, match=rf'dropout must be in \[0, 1\), got {dropout}'):
        FeedForward(4, 8, 'gelu', dropout)


def test_quick_gelu_is_what_clip_says():
    x = torch.linspace(-5, 5, 11)
    torch.testing.assert_close(QuickGELU()(x), PLAIN['quick_gelu'](x))
