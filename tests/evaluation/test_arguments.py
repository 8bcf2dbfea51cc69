import argparse

import pytest

from csipreid.evaluation.arguments import rerank_argument


def test_three_numbers_are_read():
    assert rerank_argument('20,6,0.3') == (20, 6, 0.3)


@pytest.mark.parametrize('text', ['20', '20,6', '20,6,0.3,1', 'a,6,0.3', '20.5,6,0.3', ''])
def test_anything_else_is_named(text):
    with pytest.raises(argparse.ArgumentTypeError, match=f'must be K1,K2,LAMBDA, got {text!r}'):
        rerank_argument(text)


@pytest.mark.parametrize('text', ['0,6,0.3', '20,0,0.3', '20,6,1.5', '20,6,nan'])
def test_numbers_out_of_range_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match=r'lambda in \[0, 1\]'):
        rerank_argument(text)
