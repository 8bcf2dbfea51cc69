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


def add_metric_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--metric``, by which embeddings are compared."""
    parser.add_argument(
        '--metric',
        choices=['cosine', 'euclidean'],
        default='cosine',
        help='compare embeddings by their direction (cosine, the default), whatever their length, '
        'or as they are by their Euclidean distance; features that other code ranked by Euclidean '
        'distance without normalising them need euclidean',
    )
