"""Checks of the skeletons of a subset."""

import os
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from csipreid.datasets.transforms.skeleton_files import SkeletonReader
from csipreid.diagnosis.report import Report
from csipreid.diagnosis.skeleton_measures import measure_tracklet
from csipreid.skeletons import Layout
from csipreid.skeletons.files import SkeletonFileError
from csipreid.skeletons.packed import PackedSkeletons, find_pack

_LARGEST, _TALLEST, _SHORTEST = 50.0, 4.0, 0.3  # metres that a body measures at most and at least
_FREE_BONE = 0.5  # share of its usual length by which a bone may differ
_FREE_JITTER = 0.1  # metres that a joint may leap between frames, beyond its path
_BROKEN = dict(
    broken=('skeleton-broken', 'skeleton files are no JSON with "keypoints"; extract them again'),
    joints=('skeleton-joints', 'skeletons have another number of joints; check their layout'),
    nan=('skeleton-nan', 'skeletons hold NaN or infinite coordinates; extract them again'),
)


def check_skeletons(
    report: Report,
    subset: str,
    tracklets: Sequence[dict],
    layout: Layout,
    policy: str,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Look for skeletons that are missing, broken, of the wrong size, restless or copied."""
    reader = SkeletonReader(layout.num_joints, layout.name)
    paths = [path for item in tracklets for path in item['skeleton_paths']]
    try:
        missing = reader.find_missing(paths)
    except (OSError, ValueError) as error:
        report.add('error', 'pack-broken', subset, str(error))
        return
    _report_missing(report, subset, len(paths), missing, policy)
    lacking = set(missing)
    broken: dict[str, list[str]] = defaultdict(list)
    loaded = []
    for item in tracklets:
        present = [path for path in item['skeleton_paths'] if path not in lacking]
        loaded.append(_read(reader, present, broken))
        if progress is not None:
            progress(len(item['skeleton_paths']))
    for kind, messages in broken.items():
        name, text = _BROKEN[kind]
        report.add('error', name, subset, f'{len(messages)} {text}', messages)
    found = sum(len(skeletons) for skeletons in loaded)
    num_broken = sum(len(messages) for messages in broken.values())
    report.subsets[subset]['skeletons'] = dict(
        frames=len(paths),
        missing=len(missing),
        broken=num_broken,
        not_found=len(paths) - len(missing) - num_broken - found,
        found=found,
        coverage=round(found / len(paths), 4),
    )
    _report_coverage(report, subset, tracklets, loaded)
    _report_measures(report, subset, tracklets, loaded, layout)
    _report_copies(report, subset, tracklets, loaded)


def check_packs(report: Report, subset: str, tracklets: Sequence[dict]) -> None:
    """Look for packed files that are older than the files they were made of."""
    stale = []
    folders = sorted({os.path.dirname(p) for item in tracklets for p in item['skeleton_paths']})
    for folder in folders:
        path = find_pack(folder)
        if path is None or not os.path.isdir(folder):
            continue
        time = os.path.getmtime(path)
        pack = PackedSkeletons(path)
        files = [entry for entry in os.scandir(folder) if entry.name.endswith('.json')]
        rows = pack.find_paths([entry.path for entry in files]).tolist() if files else []
        newer = [entry.stat().st_mtime > time for entry in files]
        if any(newer) or -1 in rows:
            stale.append(folder)
    if stale:
        report.add(
            'warning', 'pack-stale', subset,
            f'{len(stale)} folders hold skeletons that are newer than their packed file, which is '
            'what training reads; pack them again', stale,
        )  # fmt: skip


def check_orphans(report: Report, subset: str, tracklets: Sequence[dict]) -> None:
    """Look for skeleton files that belong to no frame, junk included."""
    expected: dict[str, set[str]] = defaultdict(set)
    for item in tracklets:
        for path in item['skeleton_paths']:
            expected[os.path.dirname(path)].add(os.path.basename(path))
    orphans = [
        entry.path
        for folder, names in sorted(expected.items())
        if os.path.isdir(folder)
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name)
        if entry.name.endswith('.json') and entry.name not in names
    ]
    if orphans:
        report.add(
            'warning', 'skeleton-orphan', subset,
            f'{len(orphans)} skeleton files belong to no frame; were frames renamed or removed?',
            orphans,
        )  # fmt: skip


def _read(reader: SkeletonReader, paths: list[str], broken: dict[str, list[str]]) -> np.ndarray:
    """Read what can be read of a tracklet, float32, (N, V, 3); note what cannot."""
    chosen = []
    for path in paths:
        try:
            skeletons, found = reader.read([path])
        except SkeletonFileError as error:
            broken[error.kind].append(str(error))
        except (OSError, ValueError) as error:
            broken['broken'].append(str(error))
        else:
            chosen += [skeletons[0]] if found[0] else []
    empty = np.zeros((0, reader.num_joints, 3), np.float32)
    return np.stack(chosen) if chosen else empty


def _report_missing(
    report: Report, subset: str, total: int, missing: list[str], policy: str
) -> None:
    """Report files that do not exist."""
    if not missing:
        return
    nothing = len(missing) == total
    fatal = nothing or policy == 'error'
    report.add(
        'error' if fatal else 'warning',
        'skeleton-missing',
        subset,
        f'{"all" if nothing else len(missing)} of {total} frames have no skeleton file'
        + (
            '; extract them, see README, "Skeletons"'
            if fatal
            else f'; training takes the policy {policy!r}'
        ),
        missing,
    )


def _report_coverage(
    report: Report, subset: str, tracklets: Sequence[dict], loaded: list[np.ndarray]
) -> None:
    """Report tracklets and persons without any skeleton."""
    bare = [i for i, s in zip(tracklets, loaded, strict=True) if not len(s)]
    if not bare or len(bare) == len(tracklets):
        return
    persons = {i['pid'] for i in bare} - {
        i['pid'] for i, s in zip(tracklets, loaded, strict=True) if len(s)
    }
    report.add(
        'warning', 'tracklet-without-skeleton', subset,
        f'{len(bare)} of {len(tracklets)} tracklets have no skeleton at all, and so have '
        f'{len(persons)} persons', [i['frame_paths'][0] for i in bare],
    )  # fmt: skip


def _report_measures(
    report: Report,
    subset: str,
    tracklets: Sequence[dict],
    loaded: list[np.ndarray],
    layout: Layout,
) -> None:
    """Report what is odd about the bodies and their movement."""
    measured = [
        (item['skeleton_paths'][0], measure_tracklet(skeletons, layout))
        for item, skeletons in zip(tracklets, loaded, strict=True)
        if len(skeletons)
    ]
    if not measured:
        return
    size = float(np.median([m.size for _, m in measured]))
    report.subsets[subset]['skeletons'].update(
        body_size=round(size, 3),
        bone_variation=round(float(np.median([m.bone_variation for _, m in measured])), 4),
        jitter=round(float(np.median([m.jitter for _, m in measured])), 4),
    )
    if size > _LARGEST:
        report.add(
            'error', 'skeleton-unit', subset,
            f'bodies measure {size:.0f}, so they are not in metres; divide millimetres by 1000',
        )  # fmt: skip
        return
    if not _SHORTEST < size < _TALLEST:
        report.add('warning', 'skeleton-size', subset, f'bodies measure {size:.2f} m')
    odd = [path for path, m in measured if m.bone_outlier > _FREE_BONE]
    restless = [path for path, m in measured if m.jitter > _FREE_JITTER]
    frozen = [path for path, m in measured if m.frozen]
    turned = [path for path, m in measured if m.upside_down]
    for things, kind, text in (
        (odd, 'bone-length', 'have frames in which a bone is half as long again as usual, or less'),
        (restless, 'jitter', f'have joints that leap by more than {_FREE_JITTER} m'),
        (frozen, 'skeleton-frozen', 'show the same skeleton in every frame'),
        (turned, 'skeleton-upside-down', 'have the head below the feet; y must point down'),
    ):
        if things:
            report.add(
                'warning',
                kind,
                subset,
                f'{len(things)} of {len(measured)} tracklets {text}',
                things,
            )


def _report_copies(
    report: Report, subset: str, tracklets: Sequence[dict], loaded: list[np.ndarray]
) -> None:
    """Report skeletons that are the same for different persons."""
    owners: dict[bytes, dict[int, str]] = defaultdict(dict)
    for item, skeletons in zip(tracklets, loaded, strict=True):
        for skeleton in skeletons:
            owners[skeleton.tobytes()].setdefault(item['pid'], item['skeleton_paths'][0])
    shared = [' = '.join(people.values()) for people in owners.values() if len(people) > 1]
    if shared:
        report.add(
            'warning', 'skeleton-shared', subset,
            f'{len(shared)} skeletons are those of several persons; they are paired wrongly',
            shared,
        )  # fmt: skip
