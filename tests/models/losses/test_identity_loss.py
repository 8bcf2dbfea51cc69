import math

import pytest
import torch

from csipreid.registry import MODELS


def build(**kwargs):
    return MODELS.build(dict(type='IdentityLoss', **kwargs))


def test_equal_logits_cost_log_of_the_identities():
    loss = build()(torch.zeros(2, 6), torch.tensor([0, 5]))
    assert loss.item() == pytest.approx(math.log(6))


def test_smoothing_spreads_a_share_over_all_identities():
    logits = torch.tensor([[2.0, 0.0, 0.0, 0.0]])
    log_sum = math.log(math.exp(2) + 3)
    expected = 0.9 * (log_sum - 2) + 0.1 * ((log_sum - 2) + 3 * log_sum) / 4
    assert build(label_smoothing=0.1)(logits, torch.tensor([0])).item() == pytest.approx(expected)


def test_weight_multiplies():
    logits, labels = torch.randn(3, 4), torch.tensor([0, 1, 2])
    torch.testing.assert_close(
        build(loss_weight=1.3)(logits, labels), 1.3 * build()(logits, labels)
    )
