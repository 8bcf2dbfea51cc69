"""Score a feature file under one protocol or all, without the model.

    python tools/analysis_tools/eval_metric.py features.npz --protocol all

The file is what tools/test.py --dump writes, or any .npz with embedding (N, D),
pid, camid and is_query (N,). Embeddings are compared by their cosine, unless
--metric says otherwise. Measures are percent.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from csipreid.arguments import device, output_file, real
from csipreid.evaluation.arguments import add_metric_argument, rerank_argument
from csipreid.evaluation.breakdown import by_length, camera_pairs
from csipreid.evaluation.distances import check_rerank
from csipreid.evaluation.feature_file import FeatureFile, read_features
from csipreid.evaluation.json_file import write_json
from csipreid.evaluation.protocol import Protocol, get_protocol, list_protocols
from csipreid.evaluation.retrieval import evaluate_retrieval
from csipreid.evaluation.verification import (
    equal_error_rate,
    true_positive_rate_at,
    verify_tracklets,
)

FALSE_POSITIVE_RATES = (1e-4, 1e-3, 1e-2)


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('features', help='feature file (.npz)')
    parser.add_argument(
        '--protocol',
        choices=[*list_protocols(), 'all'],
        default='tfclip',
        help='rules of the evaluation (default: tfclip, queries in the gallery)',
    )
    parser.add_argument(
        '--rerank',
        type=rerank_argument,
        metavar='K1,K2,LAMBDA',
        help='k-reciprocal re-ranking, by cosine only',
    )
    add_metric_argument(parser)
    parser.add_argument(
        '--details',
        action='store_true',
        help='also camera pairs, results by tracklet length, and verification',
    )
    parser.add_argument(
        '--json', type=output_file, metavar='OUT', help='write the results to this file'
    )
    parser.add_argument(
        '--memory', type=real(above=0), default=1.0, metavar='GIB', help='for a block of distances'
    )
    parser.add_argument(
        '--device', type=device, help='torch device for re-ranking (default: NumPy on the CPU)'
    )
    return parser.parse_args(arguments)


def score(features: FeatureFile, protocol: Protocol, args: argparse.Namespace) -> dict[str, Any]:
    """Evaluate under one protocol and print its card and measures."""
    tracklets = features.tracklets
    max_bytes = int(args.memory * 2**30)
    test_mode = features.meta.get('test_mode')
    retrieval = evaluate_retrieval(
        tracklets,
        protocol,
        rerank=args.rerank,
        test_mode=test_mode,
        max_bytes=max_bytes,
        device=args.device,
    )
    result: dict[str, Any] = {**retrieval.measures(), **retrieval.card.counts()}
    result |= dict(
        average_precision=protocol.average_precision,
        query_in_gallery=protocol.query_in_gallery,
        metric=protocol.metric,
        rerank=args.rerank and list(args.rerank),
        test_mode=test_mode,
        warnings=list(retrieval.card.notices),
    )
    print(retrieval.card)
    shown = {key: value for key, value in result.items() if isinstance(value, float)}
    print('  ' + '  '.join(f'{key} {value:.2f}' for key, value in shown.items()))
    if args.details:
        result |= details(features, retrieval, max_bytes)
    return result


def details(features: FeatureFile, retrieval: Any, max_bytes: int) -> dict[str, Any]:
    """Break the result down, and verify pairs; print both."""
    tracklets = features.tracklets
    pairs = camera_pairs(retrieval)
    print('  mAP by camera of the query (row) and of its matches (column):')
    print('  ' + ' ' * 6 + ''.join(f'{camera:7d}' for camera in pairs.cameras))
    for camera, row in zip(pairs.cameras, pairs.mean_average_precision, strict=True):
        print(f'  {camera:6d}' + ''.join(f'{value:7.1f}' for value in row))
    result: dict[str, Any] = dict(
        camera_pairs=dict(
            cameras=pairs.cameras.tolist(),
            mAP=_blank(pairs.mean_average_precision),
            **{'rank-1': _blank(pairs.rank_1)},
            queries=pairs.queries.tolist(),
        )
    )
    if features.frame_paths is not None and any(features.frame_paths):
        lengths = np.array([len(paths) for paths in features.frame_paths])
        bins = by_length(retrieval, lengths)
        for group in bins:
            print(
                f'  {group.shortest} to {group.longest} frames: {group.queries} queries, '
                f'mAP {group.mean_average_precision:.2f}, rank-1 {group.rank_1:.2f}'
            )
        result['by_length'] = [
            dict(
                frames=[group.shortest, group.longest],
                queries=group.queries,
                mAP=group.mean_average_precision,
                **{'rank-1': group.rank_1},
            )
            for group in bins
        ]
    roc = verify_tracklets(tracklets, retrieval.card.protocol, max_bytes)
    result['verification'] = dict(
        EER=100 * equal_error_rate(roc)[0],
        **{
            f'TPR@FPR={rate:g}': 100 * true_positive_rate_at(roc, rate)[0]
            for rate in FALSE_POSITIVE_RATES
        },
        genuine_pairs=roc.num_genuine,
        impostor_pairs=roc.num_impostor,
    )
    print(
        '  verification: '
        + ', '.join(f'{key} {value:.5g}' for key, value in result['verification'].items())
    )
    return result


def _blank(table: np.ndarray) -> list[list[float | None]]:
    """Turn NaN into null, which JSON has."""
    return [[None if np.isnan(value) else float(value) for value in row] for row in table]


def main(arguments: Sequence[str] | None = None) -> None:
    """Score the file; under 'all', a protocol that does not fit it is reported and passed over."""
    args = parse_args(arguments)
    names = list_protocols() if args.protocol == 'all' else [args.protocol]
    protocols = [replace(get_protocol(name), metric=args.metric) for name in names]
    try:
        check_rerank(args.rerank, protocols[0])
        features = read_features(args.features)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    results, failures = {}, {}
    for protocol in protocols:
        try:
            results[protocol.name] = score(features, protocol, args)
        except ValueError as error:
            failures[protocol.name] = str(error)
            print(f'Evaluation protocol {protocol.name!r} does not fit this file:\n  {error}')
    if not results:
        sys.exit('error: ' + next(iter(failures.values())))
    if args.json:
        write_json(args.json, results)


if __name__ == '__main__':
    main()
