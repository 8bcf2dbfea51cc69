"""Choose the similarity from which on two tracklets count as the same person.

    python tools/analysis_tools/calibrate_threshold.py features.npz --fpr 0.001

Similarity is the cosine of two embeddings. Calibrate on people and cameras like
those of the application, and not on the set whose results are reported. The
threshold is written as JSON, by default beside the feature file.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2

from csipreid.arguments import image_file, output_file, real, why_not_writable
from csipreid.evaluation.feature_file import read_features
from csipreid.evaluation.json_file import write_json
from csipreid.evaluation.open_set import best_similarities, identification_rate_at
from csipreid.evaluation.protocol import get_protocol, list_protocols
from csipreid.evaluation.retrieval import check_embeddings
from csipreid.evaluation.tracklet_set import TrackletSet
from csipreid.evaluation.verification import (
    RocCurve,
    equal_error_rate,
    true_positive_rate_at,
    verify_tracklets,
)
from csipreid.visualization.curves import draw_curves
from csipreid.visualization.drawing import stack_images

# False positive rates that are reported.
RATES = (1e-4, 1e-3, 1e-2, 1e-1)


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('features', help='feature file (.npz)')
    parser.add_argument(
        '--protocol', choices=list_protocols(), default='tfclip', help='which pairs are compared'
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        '--fpr',
        type=real(lowest=0, highest=1),
        default=0.01,
        help='accepted share of impostor pairs (default: 0.01)',
    )
    choice.add_argument(
        '--eer', action='store_true', help='where both errors are equally frequent instead'
    )
    parser.add_argument(
        '--out', type=output_file, metavar='FILE', help='JSON to write (default: beside the file)'
    )
    parser.add_argument(
        '--plot', type=image_file, metavar='FILE.png', help='also draw the error rates'
    )
    return parser.parse_args(arguments)


def calibrate(
    tracklets: TrackletSet, protocol_name: str, fpr: float | None
) -> tuple[dict[str, Any], RocCurve]:
    """Measure the error rates and choose a threshold.

    Args:
        tracklets: Queries and gallery.
        protocol_name: Which pairs are compared.
        fpr: Accepted share of impostor pairs; None for the equal error rate.

    Raises:
        ValueError: If the set cannot be verified, or no threshold is strict
            enough.
    """
    protocol = get_protocol(protocol_name)
    notices = check_embeddings(tracklets, protocol)
    roc = verify_tracklets(tracklets, protocol)
    best = best_similarities(tracklets, protocol)
    error, error_threshold = equal_error_rate(roc)
    if fpr is None:
        threshold, criterion = error_threshold, 'equal error rate'
    else:
        rate, threshold = true_positive_rate_at(roc, fpr)
        criterion = f'false positive rate at most {fpr:g}'
        if rate == 0:
            raise ValueError(_why_none(roc, fpr))
    report = dict(
        threshold=threshold,
        criterion=criterion,
        similarity='cosine',
        protocol=protocol.name,
        EER=100 * error,
        genuine_pairs=roc.num_genuine,
        impostor_pairs=roc.num_impostor,
    )
    for rate in RATES:
        report[f'TPR@FPR={rate:g}'] = 100 * true_positive_rate_at(roc, rate)[0]
    for rate in RATES:
        report[f'DIR@FPIR={rate:g}'] = 100 * identification_rate_at(best, rate)[0]
    if notices:
        report['warnings'] = list(notices)
    return report, roc


def _why_none(roc: RocCurve, fpr: float) -> str:
    """Say why no threshold is strict enough and yet accepts a genuine pair."""
    share = float(roc.false_positive_rate[0])  # at the strictest threshold that accepts one
    return (
        f'no threshold accepts a genuine pair within a false positive rate of {fpr:g}: the most '
        f'similar genuine pair has the cosine {roc.thresholds[0]:.4f}, and '
        f'{round(share * roc.num_impostor)} of the {roc.num_impostor} impostor pairs are as '
        f'similar or more; if labels and embeddings are right, take an --fpr of {share:.3g} or more'
    )


def draw(roc: RocCurve, path: Path) -> None:
    """Draw the ROC curve and both errors over the threshold."""
    positive = roc.false_positive_rate > 0
    curve = draw_curves(
        {
            'ROC': {
                'pairs': (
                    roc.false_positive_rate[positive].tolist(),
                    roc.true_positive_rate[positive].tolist(),
                )
            }
        },
        x_label='false positive rate',
        y_label='true positive rate',
        log_x=True,
    )
    errors = draw_curves(
        {
            'Errors': {
                'impostors accepted': (roc.thresholds.tolist(), roc.false_positive_rate.tolist()),
                'genuine rejected': (
                    roc.thresholds.tolist(),
                    (1 - roc.true_positive_rate).tolist(),
                ),
            }
        },
        x_label='threshold (cosine)',
        y_label='share of pairs',
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    image = stack_images([curve, errors], axis=1)
    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        raise OSError(f'could not write {path}')


def main(arguments: Sequence[str] | None = None) -> None:
    """Calibrate, print and write."""
    args = parse_args(arguments)
    out = args.out or Path(args.features).with_suffix('.threshold.json')
    reason = why_not_writable(out)
    if reason:
        sys.exit(f'error: {out} {reason}; name another file with --out')
    try:
        features = read_features(args.features)
        report, roc = calibrate(features.tracklets, args.protocol, None if args.eer else args.fpr)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    report['features'] = Path(args.features).name
    report['meta'] = features.meta
    try:
        write_json(out, report)
        if args.plot:
            draw(roc, args.plot)
    except OSError as error:
        sys.exit(f'error: {error}')
    for key, value in report.items():
        if key != 'meta':
            print(f'{key:18s} {value:.6g}' if isinstance(value, float) else f'{key:18s} {value}')
    print(f'Wrote {out}: accept a pair if the cosine of its embeddings is at least the threshold.')


if __name__ == '__main__':
    main()
