import pytest
import torch
from torch import nn

from csipreid.models.dropout import Dropout, draw_keep


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize('prob', [0.1, 0.3, 0.9])
def test_share_of_zeros_is_the_probability(dtype, prob):
    x = torch.ones(200_000, dtype=dtype)
    result = Dropout(prob)(x)
    zeros = (result == 0).double().mean().item()
    assert zeros == pytest.approx(prob, abs=5 * (prob * (1 - prob) / len(x)) ** 0.5)
    kept = result[result != 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - prob)))


def test_values_are_dropped_independently():
    dropped = (draw_keep(torch.empty(500, 400), 0.5) == 0).double()
    rows, columns = dropped.mean(dim=1), dropped.mean(dim=0)
    # Of n independent draws the mean has the variance 1 / (4 n).
    assert rows.var().item() == pytest.approx(1 / 1600, rel=0.25)
    assert columns.var().item() == pytest.approx(1 / 2000, rel=0.25)
    neighbours = (dropped[:, 1:] * dropped[:, :-1]).mean().item()
    assert neighbours == pytest.approx(0.25, abs=0.006)


@pytest.mark.parametrize('size', [0, 1, 3, 7])
def test_any_number_of_values_gets_a_mask(size):
    keep = draw_keep(torch.empty(size), 0.5)
    assert keep.shape == (size,)
    assert set(keep.tolist()) <= {0, -1}


@pytest.mark.parametrize('prob', [1e-12, 1 - 1e-12])
def test_extreme_probabilities_do_not_overflow(prob):
    kept = (draw_keep(torch.empty(10_000), prob) != 0).double().mean().item()
    assert kept == pytest.approx(1 - round(prob))


def test_seed_decides():
    x = torch.randn(5, 7)
    layer = Dropout(0.5)
    results = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        results.append(layer(x))
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_gradient_is_dropped_where_the_value_was():
    x = torch.ones(4, 6, requires_grad=True)
    result = Dropout(0.5)(x)
    result.sum().backward()
    assert torch.equal(x.grad, result.detach())


def test_sum_is_that_of_torch_modules_with_the_same_draws():
    identity, x = torch.randn(2, 3, 5, requires_grad=True).unbind()
    layer = Dropout(0.4)
    torch.manual_seed(0)
    together = layer.add(identity, x)
    torch.manual_seed(0)
    apart = identity + layer(x)
    torch.testing.assert_close(together, apart)
    weights = torch.randn(3, 5)
    for got, expected in zip(
        torch.autograd.grad((together * weights).sum(), (identity, x)),
        torch.autograd.grad((apart * weights).sum(), (identity, x)),
        strict=True,
    ):
        torch.testing.assert_close(got, expected)


def test_inputs_stay_as_they_are():
    identity, x = torch.randn(2, 4, 4)
    before = identity.clone(), x.clone()
    Dropout(0.5).add(identity, x)
    assert torch.equal(identity, before[0])
    assert torch.equal(x, before[1])


@pytest.mark.parametrize('prob', [0.0, 1.0])
def test_certain_cases_are_those_of_torch(prob):
    x = torch.randn(3, 4)
    assert torch.equal(Dropout(prob)(x), nn.Dropout(prob)(x))
    assert torch.equal(Dropout(prob).add(x, x), x + nn.Dropout(prob)(x))


def test_evaluation_changes_nothing():
    x = torch.randn(3, 4)
    assert Dropout(0.5).eval()(x) is x
