"""Command-line arguments of evaluation that several tools take."""

import argparse

from csipreid.evaluation.re_ranking import check_options


def rerank_argument(text: str) -> tuple[int, int, float]:
    """Read 'K1,K2,LAMBDA', the options of re-ranking.

    Raises:
        argparse.ArgumentTypeError: If it is not that, or a number is out of its range.
    """
    try:
        k1, k2, weight = text.split(',')
        options = (int(k1), int(k2), float(weight))
    except ValueError:
        raise argparse.ArgumentTypeError(f'must be K1,K2,LAMBDA, got {text!r}') from None
    try:
        return check_options(options)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
