"""Time evaluation and re-ranking beside plain NumPy versions of their definitions.

Random features with structure (identities, cameras, noise) stand in for a test
set; by default it has MARS's size. Each measurement runs in a process of its
own, one after the other, so that peak memory means something. --growth scores
larger and larger galleries in half precision from disk, 512 dimensions, to show
how time and memory grow.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

import numpy as np
from benchmark_measure import in_fresh_process

from csipreid.arguments import output_file, whole
from csipreid.evaluation.json_file import write_json
from csipreid.evaluation.protocol import get_protocol
from csipreid.evaluation.ranking import mean_average_precision, rank_matches
from csipreid.evaluation.re_ranking import re_ranked_blocks
from csipreid.evaluation.retrieval import evaluate_retrieval
from csipreid.evaluation.tracklet_set import TrackletSet


def make_tracklets(queries: int, gallery: int, dim: int, seed: int = 0) -> TrackletSet:
    """Make embeddings that cluster, imperfectly, by identity and by camera.

    They lie near a 32-dimensional subspace, as learned features do.
    """
    rng = np.random.default_rng(seed)
    size, identities, latent_dim = queries + gallery, max(2, queries // 3), 32
    pid, camid = rng.integers(1, identities + 1, size), rng.integers(0, 6, size)
    is_query = np.arange(size) < queries
    distractor = ~is_query & (rng.random(size) < 0.35)
    latent = rng.normal(size=(identities + 1, latent_dim))[pid]
    latent[distractor] = rng.normal(size=(np.count_nonzero(distractor), latent_dim))
    latent += 0.5 * rng.normal(size=(6, latent_dim))[camid] + rng.normal(size=latent.shape)
    pid[distractor] = 0
    embedding = latent.astype(np.float32) @ rng.normal(size=(latent_dim, dim)).astype(np.float32)
    for start in range(0, size, 4096):
        embedding[start : start + 4096] += rng.normal(size=embedding[start : start + 4096].shape)
    embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
    return TrackletSet(embedding, pid, camid, is_query)


def plain_measures(tracklets: TrackletSet) -> dict[str, float]:
    """Score by a full sort of each query's gallery, query by query."""
    query, gallery = tracklets.is_query, slice(None)  # queries are in the gallery
    distances = 2 - 2 * (tracklets.embedding[query] @ tracklets.embedding[gallery].T)
    order = np.argsort(distances, axis=1)
    curves, precisions, penalties = [], [], []
    for row, pid, camid in zip(order, tracklets.pid[query], tracklets.camid[query], strict=True):
        same_pid, same_camera = tracklets.pid[row] == pid, tracklets.camid[row] == camid
        hits = same_pid[~(same_pid & same_camera)].astype(np.int32)
        if not hits.any():
            continue
        found = hits.cumsum()
        curves.append(np.minimum(found, 1)[:50])
        precisions.append((found / np.arange(1, len(hits) + 1) * hits).sum() / hits.sum())
        penalties.append(found[-1] / (np.flatnonzero(hits)[-1] + 1))
    return {
        'mAP': 100 * float(np.mean(precisions)),
        'rank-1': 100 * float(np.mean(curves, axis=0)[0]),
        'mINP': 100 * float(np.mean(penalties)),
    }


def our_measures(tracklets: TrackletSet) -> dict[str, float]:
    """Score as the toolbox does."""
    scores = evaluate_retrieval(tracklets, get_protocol('tfclip')).measures(ranks=(1,))
    return {name: scores[name] for name in ('mAP', 'rank-1', 'mINP')}


def plain_re_ranking(tracklets: TrackletSet) -> dict[str, float]:
    """Re-rank as the definition is usually written: whole matrices in half precision."""
    features, queries, (k1, k2, weight) = tracklets.embedding, tracklets.is_query, (20, 6, 0.3)
    size, num_queries = len(features), int(np.count_nonzero(queries))
    squares = (features**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * (features @ features.T)
    distances = np.transpose(distances / np.max(distances, axis=0))
    order = np.argsort(distances).astype(np.int32)

    def mutual(row: int, count: int) -> np.ndarray:
        forward = order[row, : count + 1]
        return forward[np.where(order[forward, : count + 1] == row)[0]]

    encodings = np.zeros((size, size), np.float16)
    for row in range(size):
        members = expanded = mutual(row, k1)
        for other in members:
            inner = mutual(other, int(np.around(k1 / 2)))
            if len(np.intersect1d(inner, members)) > 2 / 3 * len(inner):
                expanded = np.append(expanded, inner)
        expanded = np.unique(expanded)
        weights = np.exp(-distances[row, expanded])
        encodings[row, expanded] = weights / weights.sum()
    distances = distances[:num_queries]
    averaged = np.zeros_like(encodings)
    for row in range(size):
        averaged[row] = np.mean(encodings[order[row, :k2]], axis=0)
    encodings = averaged
    users = [np.where(encodings[:, column] != 0)[0] for column in range(size)]
    jaccard = np.zeros_like(distances, dtype=np.float16)
    for row in range(num_queries):
        shared = np.zeros(size, np.float16)
        for column in np.where(encodings[row] != 0)[0]:
            rows = users[column]
            shared[rows] += np.minimum(encodings[row, column], encodings[rows, column])
        jaccard[row] = 1 - shared / (2 - shared)
    result = (jaccard * (1 - weight) + distances * weight)[:, num_queries:]
    return {'mAP': _mean_ap(tracklets, result)}


def our_re_ranking(tracklets: TrackletSet) -> dict[str, float]:
    """Re-rank as the toolbox does."""
    queries, gallery = np.flatnonzero(tracklets.is_query), np.flatnonzero(~tracklets.is_query)
    blocks = re_ranked_blocks(tracklets.embedding, queries, gallery, (20, 6, 0.3))
    return {'mAP': _mean_ap(tracklets, np.concatenate([block for _, block in blocks]))}


def _mean_ap(tracklets: TrackletSet, distances: np.ndarray) -> float:
    """Return mAP of the queries against the gallery alone, in percent."""
    query = tracklets.is_query
    matches = rank_matches(
        distances,
        tracklets.pid[query],
        tracklets.pid[~query],
        tracklets.camid[query],
        tracklets.camid[~query],
    )
    return 100 * mean_average_precision(matches)


JOBS: dict[str, tuple[Callable, Callable]] = {
    'measures': (plain_measures, our_measures),
    're-ranking': (plain_re_ranking, our_re_ranking),
}


def grown_gallery(tracklets: TrackletSet) -> dict[str, float]:
    """Score embeddings that lie on disk in half precision."""
    with tempfile.NamedTemporaryFile(suffix='.npy') as file:
        np.save(file, tracklets.embedding.astype(np.float16))
        file.flush()
        mapped = np.load(file.name, mmap_mode='r')
        on_disk = TrackletSet(mapped, tracklets.pid, tracklets.camid, tracklets.is_query)
        del tracklets
        start = time.perf_counter()
        scores = our_measures(on_disk)
        return dict(scoring=time.perf_counter() - start, **scores)


def _peak_bytes() -> int:
    """Return the largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _work(job: Callable, sizes: tuple[int, int, int]) -> dict[str, float]:
    """Run one measurement."""
    tracklets = make_tracklets(*sizes)
    warm = np.ones((64, 64), np.float32)
    warm @ warm  # starts the threads of the matrix product
    before, start = _peak_bytes(), time.perf_counter()
    scores = job(tracklets)
    seconds, peak = time.perf_counter() - start, _peak_bytes()
    extra, total = (peak - before) / 2**20, peak / 2**20
    return dict(seconds=seconds, extra_mib=extra, peak_mib=total, **scores)


def measure(job: Callable, sizes: tuple[int, int, int]) -> dict[str, float]:
    """Run a job in a fresh process; ``extra_mib`` is its peak above the features."""
    return in_fresh_process(_work, job, sizes)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--jobs', nargs='+', choices=JOBS, default=list(JOBS))
    parser.add_argument('--queries', type=whole(1), default=1980)
    parser.add_argument('--gallery', type=whole(1), default=9330)
    parser.add_argument('--dim', type=whole(1), default=2048)
    parser.add_argument(
        '--repeat', type=whole(1), default=1, help='runs of each; the fastest counts'
    )
    parser.add_argument(
        '--growth',
        type=whole(1),
        nargs='+',
        metavar='GALLERY',
        help='score these gallery sizes instead',
    )
    parser.add_argument(
        '--json', type=output_file, metavar='OUT', help='write the results to this file'
    )
    if not (sys.argv[1:] if argv is None else argv):
        parser.error('say what to time, such as --jobs ' + ' '.join(JOBS))
    return parser.parse_args(argv)


def main() -> None:
    """Measure the chosen jobs and print a table."""
    args = parse_args()
    if args.growth:
        grown = {}
        for gallery in args.growth:
            grown[gallery] = measure(grown_gallery, (args.queries, gallery, 512))
            shown = ', '.join(f'{key} {value:.3f}' for key, value in grown[gallery].items())
            print(f'{args.queries} queries, {gallery} gallery: {shown}', flush=True)
        if args.json:
            write_json(args.json, grown)
        return
    sizes = (args.queries, args.gallery, args.dim)
    print(f'{sizes[0]} queries, {sizes[1]} gallery, {sizes[2]} dimensions, float32')
    results = {}
    for name in args.jobs:
        rows = {}
        for label, job in zip(('plain', 'toolbox'), JOBS[name], strict=True):
            runs = [measure(job, sizes) for _ in range(args.repeat)]
            rows[label] = min(runs, key=lambda run: run['seconds'])
            shown = ', '.join(f'{key} {value:.3f}' for key, value in rows[label].items())
            print(f'{name:12s}{label:9s}{shown}', flush=True)
        ratios = {
            key: rows['toolbox'][key] / rows['plain'][key] for key in ('seconds', 'extra_mib')
        }
        print(f'{name:12s}ratio    time {ratios["seconds"]:.3f}, memory {ratios["extra_mib"]:.3f}')
        results[name] = dict(rows, ratio=ratios)
    if args.json:
        write_json(args.json, results)


if __name__ == '__main__':
    main()
