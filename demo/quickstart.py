"""From nothing to trained and tested models that are compared, on a laptop.

Makes the walkers (rendered people with exact skeletons), trains an image-only tower, the
two stages of CSIP, a tower that learns joints beside people, and a control, and tests all on
people not seen in training. It is a study (quickstart_study.py beside this) run by
tools/misc/run_study.py, and two pictures of it. Needs no GPU and downloads nothing; repeat
the command to go on after an interruption.

    python demo/quickstart.py --out quickstart
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import mmcv
import numpy as np

from csipreid.evaluation.feature_file import FeatureFile, read_features
from csipreid.evaluation.protocol import get_protocol
from csipreid.evaluation.ranked_lists import ranked_lists
from csipreid.evaluation.retrieval import Retrieval, evaluate_retrieval
from csipreid.visualization.curves import draw_curves
from csipreid.visualization.ranking_sheet import RankedTracklet, Verdict, draw_ranking

ROOT = Path(__file__).resolve().parents[1]
STUDY = ROOT / 'demo' / 'quickstart_study.py'
PROTOCOL = 'mars_official'  # as in the configs
NUM_SHOWN_QUERIES = 4
NUM_SHOWN_RANKS = 6


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=Path('quickstart'), help='folder for all')
    parser.add_argument('--seed', type=int, default=0, help='seed of data and training')
    return parser.parse_args()


def draw_rankings(better: Path, others: dict[str, Path], name: str, path: Path) -> int:
    """Draw queries whose first rank is right in one feature file and wrong in all others.

    Args:
        better: Feature file of the model that is right.
        others: Feature files of the same tracklets by other models, with their names.
        name: Name of the first model.
        path: Picture to write: for each query its list by every model.

    Returns:
        How many such queries there are; where there is none, the picture shows the queries
        that the first model ranks best.
    """
    files = {name: read_features(better)} | {key: read_features(f) for key, f in others.items()}
    protocol = get_protocol(PROTOCOL)
    results = {key: evaluate_retrieval(f.tracklets, protocol) for key, f in files.items()}
    first = {key: _first_is_right(result) for key, result in results.items()}
    only = first[name] & ~np.any([first[key] for key in others], axis=0)
    precision = results[name].average_precisions()
    order = np.argsort(-np.where(only, precision + 1, precision), kind='stable')
    rows = [
        _list(files[key], results[key], int(position), key)
        for position in order[:NUM_SHOWN_QUERIES]
        for key in files
    ]
    mmcv.imwrite(draw_ranking(rows, num_frames=2)[..., ::-1], str(path))
    return int(only.sum())


def _first_is_right(result: Retrieval) -> np.ndarray:
    """Tell for which queries the first rank is of the same person, bool, (Q,)."""
    owners = np.repeat(np.arange(len(result.query_rows)), result.matches.counts)
    return np.isin(np.arange(len(result.query_rows)), owners[result.matches.ranks == 1])


def _list(features: FeatureFile, result: Retrieval, position: int, name: str) -> list:
    """Return a query and what a model finds for it, as a row of the picture."""
    tracklets, paths = features.tracklets, features.frame_paths
    if paths is None:
        raise ValueError('the feature file names no frames')

    def picture(index: int, verdict: Verdict, note: str = '') -> RankedTracklet:
        frames = [mmcv.imread(frame, channel_order='rgb') for frame in paths[index]]
        caption = f'{note}id {tracklets.pid[index]} cam {tracklets.camid[index]}'
        return RankedTracklet(frames, verdict, caption)

    query = result.query_rows[[position]]
    found = next(
        iter(ranked_lists(tracklets, result.card.protocol, NUM_SHOWN_RANKS, query_rows=query))
    )
    row = [picture(found.query, 'query', f'{name}: ')]
    for index, verdict in zip(found.rows.tolist(), found.verdicts, strict=True):
        if verdict == 'right' or verdict == 'wrong':  # the others take no rank
            row.append(picture(index, verdict))
    return row


def draw_losses(work_dirs: dict[str, Path], path: Path) -> None:
    """Draw the training loss of each run."""
    panels: dict[str, dict] = {}
    for title, work_dir in work_dirs.items():
        log = sorted(work_dir.glob('*/vis_data/scalars.json'))[-1]
        lines = [json.loads(line) for line in log.read_text(encoding='utf-8').splitlines()]
        lines = [line for line in lines if 'loss' in line]
        panels[title] = {
            name.removeprefix('loss_'): (
                [line['step'] for line in lines],
                [line[name] for line in lines],
            )
            for name in lines[0]
            if name.startswith('loss')
        }
    image = draw_curves(panels, x_label='iteration', y_label='training loss')
    mmcv.imwrite(image[..., ::-1], str(path))


def main() -> None:
    """Run the study and draw its pictures."""
    args = parse_args()
    start = time.perf_counter()
    tool = ROOT / 'tools/misc/run_study.py'
    command = [sys.executable, tool, STUDY, '--out', args.out, '--seeds', str(args.seed)]
    code = subprocess.call([str(word) for word in command])
    if code:
        sys.exit(code)
    runs = args.out / f'seed{args.seed}'
    count = draw_rankings(
        runs / 'joints' / 'features.npz',
        {name: runs / name / 'features.npz' for name in ('control', 'csip')},
        'joints',
        args.out / 'ranking.png',
    )
    draw_losses(
        {
            title: runs / name
            for title, name in (
                ('image only', 'tower'),
                ('stage 1 that keeps bodies', 'stage1'),
                ('joints as a second target', 'joints'),
            )
        },
        args.out / 'curves.png',
    )
    print(
        f'{count} queries are right at rank 1 with joints as a second target alone; see '
        f'ranking.png, and curves.png, in {args.out}\n'
        f'{time.perf_counter() - start:.0f} s in all'
    )


if __name__ == '__main__':
    main()
