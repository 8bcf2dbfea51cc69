"""From nothing to a trained and tested two-stage model, on a laptop.

Makes the walkers (rendered people with exact skeletons), trains the image-only
baseline, stage 1 and stage 2 on them and tests all on identities not seen in
training, through the public tools only. Needs no GPU and downloads nothing.

    python demo/quickstart.py --out quickstart
"""

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mmcv
import numpy as np

from csipreid.evaluation.feature_file import read_features
from csipreid.evaluation.json_file import write_json
from csipreid.evaluation.protocol import get_protocol
from csipreid.evaluation.ranked_lists import ranked_lists
from csipreid.evaluation.retrieval import evaluate_retrieval
from csipreid.evaluation.tracklet_set import TrackletSet
from csipreid.visualization.curves import draw_curves
from csipreid.visualization.ranking_sheet import RankedTracklet, Verdict, draw_ranking

ROOT = Path(__file__).resolve().parents[1]
PROTOCOL = 'mars_official'  # as in the configs
NUM_IDS = (48, 24)  # training, test
NUM_CHANCE_DRAWS = 20
NUM_SHOWN_QUERIES = 8
NUM_SHOWN_RANKS = 6


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--out', type=Path, default=Path('quickstart'), help='folder for all')
    parser.add_argument('--seed', type=int, default=0, help='seed of data and training')
    return parser.parse_args()


class Quickstart:
    """The steps, each a command a user could type.

    Args:
        out: Folder for data, logs, checkpoints and results.
        seed: Seed of the data and of the trainings.
    """

    def __init__(self, out: Path, seed: int) -> None:
        self.out = out
        self.seed = seed
        self.data = out / 'walkers'
        out.mkdir(parents=True, exist_ok=True)

    def run(self, title: str, *arguments: str | Path) -> None:
        """Run one command; its output goes to a log file named after its title."""
        log = self.out / 'logs' / f'{title.replace(" ", "_")}.log'
        log.parent.mkdir(exist_ok=True)
        start = time.perf_counter()
        print(f'{title} …', flush=True)
        command = [sys.executable, *map(str, arguments)]
        # One thread each: two trainings run side by side, and results do not
        # depend on the number of cores.
        environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
        with log.open('w', encoding='utf-8') as file:
            code = subprocess.call(
                command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, env=environment
            )
        if code:
            tail = '\n'.join(log.read_text(encoding='utf-8').splitlines()[-15:])
            raise RuntimeError(f'{title} failed:\n{tail}\nThe whole output is in {log}')
        print(f'{title}: {time.perf_counter() - start:.0f} s', flush=True)

    def make_data(self) -> None:
        """Render the walkers."""
        tool = 'tools/dataset_converters/make_walkers.py'
        ids = ['--ids', *map(str, NUM_IDS)]
        self.run('make the walkers', tool, '--out', self.data, '--seed', str(self.seed), *ids)

    def train(self, title: str, config: str, pretrained: Path | None = None) -> Path:
        """Train a config and return its last checkpoint."""
        work_dir = self.out / Path(config).stem
        # fmt: off
        options: list[str | Path] = [
            '--data-root', self.data, '--work-dir', work_dir, '--seed', str(self.seed),
            '--no-validate',
        ]
        # fmt: on
        if pretrained is not None:
            options += ['--pretrained', pretrained]
        self.run(title, 'tools/train.py', config, *options)
        return Path((work_dir / 'last_checkpoint').read_text(encoding='utf-8').strip())

    def test(self, title: str, config: str, checkpoint: Path | None, dump: bool = True) -> dict:
        """Test a checkpoint and return its measures; features go to ``<config>.npz``."""
        name = Path(config).stem
        result = self.out / 'tests' / f'{name}.json'
        # fmt: off
        options: list[str | Path] = [
            '--data-root', self.data, '--work-dir', self.out / 'tests' / name, '--out', result,
        ]
        # fmt: on
        if dump:
            options += ['--dump', result.with_suffix('.npz')]
        self.run(title, 'tools/test.py', config, *([checkpoint] if checkpoint else []), *options)
        return json.loads(result.read_text(encoding='utf-8'))


def row(measures: dict[str, float], prefix: str = 'reid') -> dict[str, float]:
    """Pick what the table shows, in percent."""
    return {name: round(measures[f'{prefix}/{name}'], 2) for name in ('mAP', 'rank-1')}


def chance(tracklets: TrackletSet) -> dict[str, float]:
    """Score random embeddings, the mean of some draws, in percent."""
    generator = np.random.default_rng(0)
    draws = []
    for _ in range(NUM_CHANCE_DRAWS):
        random = TrackletSet(
            embedding=generator.normal(size=(len(tracklets.pid), 64)).astype(np.float32),
            pid=tracklets.pid,
            camid=tracklets.camid,
            is_query=tracklets.is_query,
        )
        draws.append(evaluate_retrieval(random, get_protocol(PROTOCOL)).measures((1,)))
    return {name: round(float(np.mean([d[name] for d in draws])), 2) for name in ('mAP', 'rank-1')}


def draw_rankings(feature_file: Path, path: Path) -> None:
    """Draw some queries, from the worst to the best ranked, with what was found for them."""
    features = read_features(feature_file)
    tracklets, paths = features.tracklets, features.frame_paths
    if paths is None:
        raise ValueError(f'{feature_file} names no frames')
    protocol = get_protocol(PROTOCOL)
    retrieval = evaluate_retrieval(tracklets, protocol)
    precision = retrieval.average_precisions()
    by_precision = np.argsort(precision, kind='stable')
    shown = by_precision[np.linspace(0, len(by_precision) - 1, NUM_SHOWN_QUERIES).astype(int)]

    def picture(index: int, verdict: Verdict, note: str = '') -> RankedTracklet:
        frames = [mmcv.imread(frame, channel_order='rgb') for frame in paths[index]]
        caption = f'{note}id {tracklets.pid[index]} cam {tracklets.camid[index]}'
        return RankedTracklet(frames, verdict, caption)

    rows = []
    for position in shown:
        query_rows = retrieval.query_rows[[position]]
        found = next(
            iter(ranked_lists(tracklets, protocol, NUM_SHOWN_RANKS, query_rows=query_rows))
        )
        row = [picture(found.query, 'query', f'AP {100 * precision[position]:.0f}: ')]
        for index, verdict in zip(found.rows.tolist(), found.verdicts, strict=True):
            if verdict == 'right' or verdict == 'wrong':  # the others take no rank
                row.append(picture(index, verdict))
        rows.append(row)
    mmcv.imwrite(draw_ranking(rows, num_frames=2)[..., ::-1], str(path))


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
    """Run all steps, print the table and write results and pictures."""
    args = parse_args()
    start = time.perf_counter()
    steps = Quickstart(args.out.resolve(), args.seed)
    histogram = 'configs/baselines/colour_histogram_walkers.py'
    baseline = 'configs/baselines/image_only_walkers.py'
    control = 'configs/baselines/image_only_continued_walkers.py'
    stage1, stage2 = 'configs/csip/stage1_walkers.py', 'configs/csip/stage2_walkers.py'

    steps.make_data()
    with ThreadPoolExecutor() as pool:
        colour = pool.submit(steps.test, 'test colour histogram', histogram, None)
        tower = steps.train('train image-only baseline', baseline)
        # What follows from the baseline goes side by side.
        alone = pool.submit(steps.test, 'test image-only baseline', baseline, tower)
        longer = pool.submit(
            lambda: steps.test(
                'test image-only on', control, steps.train('train image-only on', control, tower)
            )
        )
        aligned = steps.train('train stage 1', stage1, tower)
        cross = pool.submit(steps.test, 'test stage 1', stage1, aligned, False)
        final = steps.train('train stage 2', stage2, aligned)
        csip = steps.test('test stage 2', stage2, final)
    rows = {
        'colour_histogram': row(colour.result()),
        'image_only': row(alone.result()),
        'image_only_continued': row(longer.result()),
        'csip': row(csip),
    }
    cross_modal = row(cross.result(), 'cross_modal')

    features = steps.out / 'tests' / 'stage2_walkers.npz'
    rows = {'chance': chance(read_features(features).tracklets), **rows}
    draw_rankings(features, steps.out / 'ranking.png')
    draw_losses(
        {
            'image only': steps.out / Path(baseline).stem,
            'stage 1': steps.out / Path(stage1).stem,
            'stage 2': steps.out / Path(stage2).stem,
        },
        steps.out / 'curves.png',
    )
    seconds = round(time.perf_counter() - start, 1)
    results = dict(rows=rows, stage1_cross_modal=cross_modal, seconds=seconds)
    write_json(steps.out / 'results.json', results)

    print(f'\n{"":<22}{"mAP":>8}{"rank-1":>8}   percent, {PROTOCOL} protocol')
    for name, measures in rows.items():
        print(f'{name:<22}{measures["mAP"]:8.1f}{measures["rank-1"]:8.1f}')
    print(
        f'stage 1, skeleton to image: mAP {cross_modal["mAP"]:.1f}, '
        f'rank-1 {cross_modal["rank-1"]:.1f}\n'
        f'{seconds:.0f} s in all; see results.json, ranking.png and curves.png in {args.out}'
    )


if __name__ == '__main__':
    try:
        main()
    except RuntimeError as error:
        sys.exit(str(error))
