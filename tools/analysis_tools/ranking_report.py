"""Make a page that shows what a model ranks, worst queries first.

    python tools/analysis_tools/ranking_report.py features.npz --out report

Open ``report/index.html``; it needs no server and no network. With
``--compare OTHER.npz``, features of another model of the same test set, the page
also shows which queries got better and which worse.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.utils import track_iter_progress

from csipreid.arguments import output_folder, whole
from csipreid.evaluation.arguments import add_metric_argument, rerank_argument
from csipreid.evaluation.breakdown import by_length, camera_pairs
from csipreid.evaluation.feature_file import FeatureFile, read_features
from csipreid.evaluation.protocol import Protocol, get_protocol, list_protocols
from csipreid.evaluation.ranked_lists import RankedList, ranked_lists
from csipreid.evaluation.ranking import cmc_curve, first_ranks
from csipreid.evaluation.retrieval import Retrieval, evaluate_retrieval
from csipreid.output_folder import OutputFolder
from csipreid.visualization.curves import draw_curves, draw_matrix
from csipreid.visualization.drawing import draw_strip, pick_evenly

TEMPLATE = Path(__file__).with_suffix('.html')
VERDICTS = ('right', 'wrong', 'same camera', 'junk')  # the page's order
CMC_RANKS = 50


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('features', help='feature file (.npz) with frame paths')
    parser.add_argument(
        '--out', type=output_folder, required=True, metavar='DIR', help='folder of the page'
    )
    parser.add_argument('--compare', metavar='OTHER.npz', help='features of another model')
    parser.add_argument('--protocol', choices=list_protocols(), default='tfclip')
    parser.add_argument(
        '--rerank',
        type=rerank_argument,
        metavar='K1,K2,LAMBDA',
        help='k-reciprocal re-ranking, by cosine only',
    )
    add_metric_argument(parser)
    parser.add_argument('--top', type=whole(1), default=10, help='ranks shown of each query')
    parser.add_argument('--frames', type=whole(1), default=4, help='frames shown of each tracklet')
    parser.add_argument(
        '--max-queries', type=whole(1), metavar='N', help='show the worst N queries only'
    )
    parser.add_argument(
        '--data-root', default='', metavar='DIR', help='folder from which frame paths start'
    )
    return parser.parse_args(arguments)


def align(features: FeatureFile, other: FeatureFile) -> FeatureFile:
    """Put the other model's tracklets into the order of the first one's.

    Raises:
        ValueError: If the two files do not describe the same test set.
    """
    order = np.arange(len(other.tracklets.pid))
    if features.frame_paths and other.frame_paths and all(other.frame_paths):
        rows = {tuple(paths): row for row, paths in enumerate(other.frame_paths)}
        found = [rows.get(tuple(paths), -1) for paths in features.frame_paths]
        if -1 not in found and len(set(found)) == len(found):
            order = np.array(found)
    fields = {key: getattr(other.tracklets, key) for key in ('pid', 'camid', 'is_query')}
    if len(order) != len(features.tracklets.pid) or not all(
        np.array_equal(value[order], getattr(features.tracklets, key))
        for key, value in fields.items()
    ):
        raise ValueError(
            'the two files describe different test sets: '
            f'{len(features.tracklets.pid)} and {len(order)} tracklets whose pid, camid and '
            'is_query do not agree; dump both with the same data'
        )
    fields = {key: value[order] for key, value in fields.items()}
    embedding = other.tracklets.embedding[order]
    tracklets = type(other.tracklets)(embedding=embedding, **fields)
    return FeatureFile(tracklets, features.frame_paths, other.meta)


def evaluate(
    features: FeatureFile, protocol: Protocol, rerank: tuple[int, int, float] | None
) -> Retrieval:
    """Score one model."""
    return evaluate_retrieval(
        features.tracklets, protocol, rerank=rerank, test_mode=features.meta.get('test_mode')
    )


def write_strips(
    features: FeatureFile, rows: list[int], args: argparse.Namespace, folder: Path
) -> set[int]:
    """Write the frame strips that the page shows; return the rows that have one."""
    if not features.frame_paths:
        return set()
    folder.mkdir()
    frame_paths = features.frame_paths

    def write(row: int) -> int:
        paths = frame_paths[row]
        chosen = [paths[index] for index in pick_evenly(len(paths), args.frames)]
        files = [Path(args.data_root) / path for path in chosen]
        frames = [cv2.imread(str(file)) for file in files if file.is_file()]
        present = [frame for frame in frames if frame is not None]
        if not present:
            return -1
        strip = draw_strip(present, 96, 48, max(1, len(present)))
        cv2.imwrite(str(folder / f'{row}.jpg'), strip, [cv2.IMWRITE_JPEG_QUALITY, 80])
        return row

    with ThreadPoolExecutor() as pool:
        work = pool.map(write, rows)
        if sys.stderr.isatty():
            work = track_iter_progress((work, len(rows)), file=sys.stderr)
        return set(work) - {-1}


def describe(listed: RankedList) -> list[list[float]]:
    """Turn a ranked list into rows of the page's data."""
    return [
        [int(row), round(float(distance), 4), VERDICTS.index(verdict)]
        for row, distance, verdict in zip(
            listed.rows, listed.distances, listed.verdicts, strict=True
        )
    ]


def collect(
    features: FeatureFile, other: FeatureFile | None, args: argparse.Namespace
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Gather all that the page shows: its data, without the strips, and its plots."""
    protocol = replace(get_protocol(args.protocol), metric=args.metric)
    name = Path(args.features).stem
    other_name = Path(args.compare).stem if other is not None else None
    if other_name == name:
        name, other_name = args.features, args.compare
    retrieval = evaluate(features, protocol, args.rerank)
    results = {name: retrieval}
    if other is not None and other_name is not None:
        results[other_name] = evaluate(other, protocol, args.rerank)
    precisions = {key: 100 * result.average_precisions() for key, result in results.items()}
    order = np.argsort(precisions[name], kind='stable')[: args.max_queries]  # NaN comes last
    rows = np.sort(retrieval.query_rows[order])
    lists = {
        key: {
            item.query: describe(item)
            for item in ranked_lists(
                part.tracklets, protocol, args.top, query_rows=rows, rerank=args.rerank
            )
        }
        for key, part in zip(results, (features, other), strict=False)
        if part is not None
    }
    first = first_ranks(retrieval.matches)
    queries = []
    for place in order.tolist():
        row, precision = int(retrieval.query_rows[place]), precisions[name][place]
        query = dict(
            row=row,
            ap=None if np.isnan(precision) else round(precision, 3),
            first=int(first[place]),
            list=lists[name][row],
        )
        if other_name is not None:
            change = precision - precisions[other_name][place]
            query['change'] = None if np.isnan(change) else round(change, 3)
            query['otherList'] = lists[other_name][row]
        queries.append(query)

    measures = {key: result.measures() for key, result in results.items()}
    pairs = camera_pairs(retrieval)
    cameras = [f'{camera}' for camera in pairs.cameras]
    ranks = list(range(1, CMC_RANKS + 1))
    plots = {
        'cmc.png': draw_curves(
            {
                'CMC': {
                    key: (ranks, (100 * cmc_curve(result.matches, CMC_RANKS)).tolist())
                    for key, result in results.items()
                }
            },
            x_label='rank',
            y_label='queries with a match, percent',
        ),
        'cameras.png': draw_matrix(
            pairs.mean_average_precision, cameras, cameras, 'mAP: query camera, match camera'
        ),
    }
    data = dict(
        name=name,
        other=other_name,
        card=str(retrieval.card),
        measures=[
            ['percent', *measures],
            *(
                [key, *(f'{scores[key]:.2f}' for scores in measures.values())]
                for key in measures[name]
            ),
        ],
        lengths=length_table(retrieval, features),
        cameras=np.unique(features.tracklets.camid[rows]).tolist(),
        plots=list(plots),
        queries=queries,
    )
    return data, plots


def length_table(retrieval: Retrieval, features: FeatureFile) -> list[list[str]]:
    """Tabulate the results by length of the query; empty without frame paths."""
    if not features.frame_paths or not any(features.frame_paths):
        return []
    lengths = np.array([len(paths) for paths in features.frame_paths])
    return [
        ['frames of the query', 'queries', 'mAP', 'rank-1'],
        *(
            [
                f'{group.shortest} to {group.longest}',
                f'{group.queries}',
                f'{group.mean_average_precision:.2f}',
                f'{group.rank_1:.2f}',
            ]
            for group in by_length(retrieval, lengths)
        ),
    ]


def write_report(
    features: FeatureFile, other: FeatureFile | None, args: argparse.Namespace, folder: Path
) -> tuple[int, int]:
    """Write the page; return how many tracklets are shown and how many have no frames."""
    data, plots = collect(features, other, args)
    rows = {query['row'] for query in data['queries']}
    for key in ('list', 'otherList'):
        rows |= {row for query in data['queries'] for row, _, _ in query.get(key, ())}
    shown = write_strips(features, sorted(rows), args, folder / 'strips')
    paths = features.frame_paths
    data['tracklets'] = {
        row: dict(
            pid=int(features.tracklets.pid[row]),
            camid=int(features.tracklets.camid[row]),
            frames=len(paths[row]) if paths else 0,
            name=Path(paths[row][0]).name if paths and paths[row] else '',
            shown=row in shown,
        )
        for row in sorted(rows)
    }
    for name, image in plots.items():
        cv2.imwrite(str(folder / name), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    # A script, because a page from disk may not fetch JSON. '<' could end the script.
    text = json.dumps(data, allow_nan=False, separators=(',', ':')).replace('<', '\\u003c')
    (folder / 'data.js').write_text(f'window.REPORT = {text};\n', encoding='utf-8')
    shutil.copyfile(TEMPLATE, folder / 'index.html')
    return len(rows), len(rows) - len(shown)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, score, draw and write."""
    args = parse_args(arguments)
    try:
        output = OutputFolder(args.out, 'ranking_report', places=('', 'strips'))
        features = read_features(args.features)
        other = align(features, read_features(args.compare)) if args.compare else None
        with output:
            num_shown, num_missing = write_report(features, other, args, output.staging)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {error}')
    if output.removed:
        print(f'{output.removed} files of an earlier report removed')
    print(f'Wrote {Path(args.out) / "index.html"}: {num_shown} tracklets.')
    if num_missing:
        print(
            f'{num_missing} of them have no readable frame; if their paths are relative, '
            'say with --data-root where they start.'
        )


if __name__ == '__main__':
    main()
