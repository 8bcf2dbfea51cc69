"""What constructors take, found without running them."""

from collections.abc import Sequence
from typing import Any, Literal

import pytest
from torch import nn

from csipreid.engine.signatures import describe, fits, signature_of


class Base:
    def __init__(self, size: int, name: str = 'a', mode: str = 'b') -> None:
        pass


class Hands(Base):
    def __init__(self, extra=0, **kwargs):
        super().__init__(3, mode='c', **kwargs)


class Keeps(Base):
    def __init__(self, **kwargs):
        self.rest = kwargs
        super().__init__(1)


class Reads(Base):
    def __init__(self, **kwargs):
        kwargs.pop('hidden', None)
        super().__init__(**kwargs)


class Module(nn.Module):
    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)


def test_what_is_handed_to_the_base_class_is_followed():
    signature = signature_of(Hands)
    assert set(signature.arguments) == {'extra', 'name'}  # size and mode are given already
    assert not signature.takes_others
    assert signature.arguments['name'].owner is Base
    assert signature.arguments['name'].hint is str


def test_what_is_kept_or_read_may_be_anything():
    assert signature_of(Keeps).takes_others
    assert signature_of(Reads).takes_others
    assert 'mode' in signature_of(Reads).arguments


def test_modules_of_torch_take_no_more():
    signature = signature_of(Module)
    assert set(signature.arguments) == {'width'}
    assert signature.arguments['width'].required
    assert not signature.takes_others


def test_functions_and_silent_builtins():
    assert set(signature_of(describe).arguments) == {'hint'}
    assert signature_of(dict.fromkeys).takes_others or not signature_of(dict.fromkeys).arguments


@pytest.mark.parametrize(
    ('value', 'hint', 'expected'),
    [
        (3, int, True),
        (True, int, False),
        (3, float, True),
        ('3', float, False),
        (None, int | None, True),
        ('a', Literal['a', 'b'], True),
        (1, Literal[True], False),
        ([1, 2], tuple[int, int], True),
        ([1, 2, 3], tuple[int, int], False),
        ('ab', Sequence[str], False),
        (['a', 1], Sequence[str], False),
        ({}, dict[str, int], True),
        (object(), Any, True),
    ],
)
def test_value_fits_its_type(value, hint, expected):
    assert fits(value, hint) is expected


def test_choices_are_named():
    assert describe(Literal['a', 'b'] | None) == "'a' or 'b' or None"
