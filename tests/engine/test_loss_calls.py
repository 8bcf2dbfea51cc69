"""Losses are held against the calls in their model's source."""

import re

import pytest
from torch import nn

from csipreid.engine.loss_calls import is_loss_slot, why_loss_does_not_fit
from csipreid.registry import MODELS


class Model(nn.Module):
    def __init__(self, loss, pair_loss, frame_loss, other_loss, starred_loss):
        super().__init__()
        self.contrast = MODELS.build(loss)
        self.pair_loss = None if pair_loss is None else MODELS.build(pair_loss)
        self.frame_loss, self.other_loss = MODELS.build(frame_loss), other_loss
        self.starred_loss = MODELS.build(starred_loss)

    def loss(self, features, labels, batch):
        total = sum(self.contrast(feature, labels) for feature in features)
        total = total + self.pair_loss(features, labels, valid=batch.valid)
        if batch.frames:
            return total + self.other_loss(1, 2, 3, 4) + self.starred_loss(*batch)
        return total


class Inherits(Model):
    pass


class Two(nn.Module):
    def forward(self, features, labels):
        return features


class Three(nn.Module):
    def forward(self, a, b, c):
        return a


class Optional(nn.Module):
    def forward(self, features, labels, valid=None):
        return features


class Anything(nn.Module):
    def forward(self, *args, **kwargs):
        return 0


class Exchanged(nn.Module):
    def forward(self, labels, features):
        return features


class Called:
    def __call__(self, features):
        return features


@pytest.mark.parametrize('model', [Model, Inherits])
@pytest.mark.parametrize(
    ('slot', 'loss', 'reason'),
    [
        ('loss', Two, None),
        ('loss', Optional, None),
        ('loss', Anything, None),
        ('loss', Three, r'with \(feature, labels\) and takes \(a, b, c\): .* argument: .c'),
        ('loss', Called, r'takes \(features\): there is no place for labels'),
        ('loss', Exchanged, 'its features would be labels'),
        ('loss', nn.CrossEntropyLoss, None),
        ('pair_loss', Optional, None),
        ('pair_loss', Two, r'with \(features, labels, valid=batch\.valid\) .* argument .valid'),
        ('starred_loss', Three, None),  # nobody knows what it is called with
        ('other_loss', Two, None),  # it is not built from a config
    ],
)
def test_what_a_loss_cannot_take_is_named(model, slot, loss, reason):
    why = why_loss_does_not_fit(model, slot, loss)
    assert (why is None) == (reason is None)
    assert reason is None or re.search(reason, why)


@pytest.mark.parametrize(('model', 'loss'), [(len, Two), (Model, len), (int, int)])
def test_what_cannot_be_read_is_taken_to_fit(model, loss):
    assert why_loss_does_not_fit(model, 'loss', loss) is None


def test_slots_are_known_by_their_names():
    assert [name for name in ('loss', 'frame_loss', 'glossy', 'head') if is_loss_slot(name)] == [
        'loss',
        'frame_loss',
    ]
