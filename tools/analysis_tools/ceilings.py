"""Score on the walkers what needs no training: chance, clothing, and exact skeletons.

They tell what a number means. *Chance* ranks by random embeddings. The *clothing oracle* knows
the clothing group of each person and nothing else: who stands above it sees more than clothes.
The *skeleton oracle* compares median bone lengths of the exact skeletons.

    python tools/analysis_tools/ceilings.py data/walkers
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from csipreid.arguments import output_file
from csipreid.datasets import MARS
from csipreid.datasets.transforms import LoadSkeletons
from csipreid.evaluation.json_file import write_json
from csipreid.evaluation.protocol import get_protocol
from csipreid.evaluation.retrieval import evaluate_retrieval
from csipreid.evaluation.tracklet_set import TrackletSet
from csipreid.skeletons import get_layout

_DRAWS = 20  # of random embeddings, and of the order of people who wear the same
_WIDTH = 64  # of random embeddings
_TIES = 1e-3  # size of what orders people who wear the same


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('data_root', type=Path, help='folder of the walkers')
    parser.add_argument('--protocol', default='mars_official', help='evaluation protocol')
    parser.add_argument('--json', type=output_file, help='file for the measures')
    return parser.parse_args(argv)


def ceilings(data_root: Path, protocol: str) -> dict[str, dict[str, float]]:
    """Return mAP and rank-1 of each ceiling, in percent.

    Raises:
        FileNotFoundError: If the folder holds no walkers.
        ValueError: If ``walkers.json`` does not name the clothing groups.
    """
    groups = _clothing_groups(data_root)
    dataset = MARS(data_root=str(data_root), subset='test', check_files=False)
    dataset.full_init()
    items = [dataset.get_data_info(index) for index in range(len(dataset))]
    pid = np.array([item['pid'] for item in items])
    known = dict(
        pid=pid,
        camid=np.array([item['camid'] for item in items]),
        is_query=np.array([item['subset'] == 'query' for item in items]),
    )

    def score(embedding: np.ndarray, metric: str = 'cosine') -> dict[str, float]:
        rules = get_protocol(dict(base=protocol, name=protocol, metric=metric))
        tracklets = TrackletSet(embedding=embedding.astype(np.float32), **known)
        measures = evaluate_retrieval(tracklets, rules).measures((1,))
        return {name: measures[name] for name in ('mAP', 'rank-1')}

    def mean(scores: list[dict[str, float]]) -> dict[str, float]:
        return {name: float(np.mean([s[name] for s in scores])) for name in scores[0]}

    rng = np.random.default_rng(0)
    # A distractor wears something of his own.
    group = np.array([groups.get(p, -1 - row) for row, p in enumerate(pid.tolist())])
    clothes = (group[:, None] == np.unique(group)).astype(float)
    return dict(
        chance=mean([score(rng.normal(size=(len(pid), _WIDTH))) for _ in range(_DRAWS)]),
        clothing_oracle=mean(
            [score(clothes + _TIES * rng.normal(size=clothes.shape)) for _ in range(_DRAWS)]
        ),
        skeleton_oracle=score(_bone_lengths(items), metric='euclidean'),
    )


def _clothing_groups(data_root: Path) -> dict[int, int]:
    """Read who wears what."""
    file = data_root / 'walkers.json'
    if not file.is_file():
        raise FileNotFoundError(f'{file} not found: only walkers say who wears what')
    try:
        groups = json.loads(file.read_text(encoding='utf-8'))['groups']['test']
        return {int(person): int(group) for person, group in groups.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f'{file} does not name the clothing groups of the test set') from error


def _bone_lengths(items: Sequence[dict]) -> np.ndarray:
    """Return the median length of each tracklet's bones, metres, (N, number of bones)."""
    load = LoadSkeletons(layout='h36m', missing='mask')
    parents, children = (list(ends) for ends in zip(*get_layout('h36m').bones, strict=True))
    rows = []
    for item in items:
        loaded = load.transform(dict(item, frame_inds=np.arange(len(item['frame_paths']))))
        skeletons = loaded['skeletons'][loaded['skeleton_valid']]
        lengths = np.linalg.norm(skeletons[:, children] - skeletons[:, parents], axis=-1)
        rows.append(np.median(lengths, axis=0) if len(lengths) else np.zeros(len(parents)))
    return np.stack(rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Print the ceilings."""
    args = parse_args(argv)
    try:
        rows = ceilings(args.data_root, args.protocol)
        if args.json is not None:
            write_json(args.json, rows)
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    print(f'{"":<18}{"mAP":>8}{"rank-1":>8}   percent, {args.protocol} protocol')
    for name, measures in rows.items():
        print(f'{name:<18}{measures["mAP"]:8.1f}{measures["rank-1"]:8.1f}')


if __name__ == '__main__':
    main()
