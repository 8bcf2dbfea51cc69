"""The examination of a data set, from the lists to the skeletons."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from mmengine.registry import DefaultScope

from csipreid.datasets.tracklet_dataset import TrackletDataset
from csipreid.diagnosis.frame_checks import FrameState, check_frames, check_leaks
from csipreid.diagnosis.list_checks import (
    check_batches,
    check_cameras,
    check_identities,
    check_lists,
    count_subset,
)
from csipreid.diagnosis.match_checks import check_matching
from csipreid.diagnosis.report import Report
from csipreid.diagnosis.sequence_checks import check_copies
from csipreid.diagnosis.skeleton_checks import check_orphans, check_packs, check_skeletons
from csipreid.evaluation.protocol import Protocol
from csipreid.registry import DATASETS, METRICS
from csipreid.skeletons import get_layout

SUBSETS = ('train', 'query', 'gallery')
Watch = Callable[[str, int], Callable[[int], None]]


def examine(
    cfg: dict[str, Any],
    lists_only: bool = False,
    num_workers: int = 1,
    watch: Watch | None = None,
    later: Mapping[str, dict[str, Any]] | None = None,
) -> Report:
    """Examine the data sets of a config.

    Args:
        cfg: Config with ``train_dataloader``, ``test_dataloader`` and ``test_evaluator``.
        lists_only: Whether to look at the lists alone, at no frame and no skeleton.
        num_workers: Processes that read frames.
        watch: Called with what is read next and how many there are; returns what is called
            with the number of those that were just read.
        later: Configs by name that are to train on the same data, such as stage 2; only
            whether it fills their batches is checked.
    """
    report = Report()
    loaders = dict(
        train=cfg['train_dataloader'], query=cfg['test_dataloader'], gallery=cfg['test_dataloader']
    )
    everything: dict[str, list[dict]] = {}
    for subset, loader in loaders.items():
        tracklets = _load(report, subset, loader['dataset'])
        if tracklets is not None:
            everything[subset] = tracklets
    used = {subset: count_subset(report, subset, items) for subset, items in everything.items()}
    for subset, items in used.items():
        pipeline = loaders[subset]['dataset']['pipeline']
        check_lists(report, subset, items, _option(pipeline, 'SampleClip', 'clip_len', 8))
    alone = any('sequence' in item for items in used.values() for item in items[:1])
    if not alone:  # sets of skeletons alone test the people they train on, by their protocols
        check_identities(report, used)
    embedded = bool((cfg.get('model') or {}).get('camera_embedding'))
    check_cameras(report, used, embedded)
    if 'train' in used:
        check_batches(report, used['train'], loaders['train'])
        for name, other in (later or {}).items():
            check_batches(report, used['train'], other['train_dataloader'], name)
    with DefaultScope.overwrite_default_scope('csipreid'):
        check_matching(report, used, _protocol(cfg['test_evaluator']))
    if lists_only:
        return report
    if alone:
        check_copies(report, used)
        return report
    states: dict[str, dict[str, FrameState]] = {}
    for subset, items in used.items():
        frames = report.subsets[subset]['frames']
        step = watch(f'{subset}: frames', frames) if watch else None
        states[subset] = check_frames(report, subset, items, num_workers, step)
        pipeline = loaders[subset]['dataset']['pipeline']
        if any(transform['type'] == 'LoadSkeletons' for transform in pipeline):
            step = watch(f'{subset}: skeletons', frames) if watch else None
            layout = get_layout(_option(pipeline, 'LoadSkeletons', 'layout', 'h36m'))
            policy = _option(pipeline, 'LoadSkeletons', 'missing', 'error')
            check_skeletons(report, subset, items, layout, policy, step)
    check_leaks(report, states)
    _check_folders(report, everything)
    return report


def _protocol(evaluator: Any) -> Protocol:
    """Return the protocol of the first metric that has one."""
    if isinstance(evaluator, dict):
        evaluator = evaluator.get('metrics', evaluator)
    for metric in evaluator if isinstance(evaluator, list | tuple) else [evaluator]:
        kind = metric['type']
        kind = METRICS.get(kind) if isinstance(kind, str) else kind
        if 'protocol' in inspect.signature(kind).parameters:
            return METRICS.build(metric).protocol
    raise ValueError('test_evaluator has no metric with a protocol, such as ReIDMetric')


def _load(report: Report, subset: str, settings: dict[str, Any]) -> list[dict] | None:
    """List the tracklets of a subset, junk included; None if training could not."""
    settings = {**settings, 'subset': subset, 'pipeline': [], 'check_files': False}
    try:
        with DefaultScope.overwrite_default_scope('csipreid'):
            dataset: TrackletDataset = DATASETS.build(settings)
            return dataset.load_tracklets(subset)  # type: ignore[arg-type]
    except FileNotFoundError as error:
        report.add('error', 'list-missing', subset, str(error))
    except OSError as error:
        report.add('error', 'folder-unreadable', subset, str(error))
    except ValueError as error:
        kind = 'empty-subset' if 'holds no tracklet' in str(error) else 'list-broken'
        report.add('error', kind, subset, str(error))
    except Exception as error:  # whatever it is, it must not end the examination
        report.add('error', 'list-broken', subset, f'{type(error).__name__}: {error}')
    return None


def _check_folders(report: Report, everything: dict[str, list[dict]]) -> None:
    """Look at the skeleton folders as a whole; query and gallery may share them."""
    groups = {'train': everything.get('train', [])}
    groups['test'] = [*everything.get('query', []), *everything.get('gallery', [])]
    for name, items in groups.items():
        try:
            check_orphans(report, name, items)
            check_packs(report, name, items)
        except (OSError, ValueError) as error:
            report.add('error', 'pack-broken', name, str(error))


def _option(pipeline: list[dict], transform: str, name: str, default: Any) -> Any:
    """Return an argument of a transform of a pipeline."""
    found = [step for step in pipeline if step['type'] == transform]
    return found[0].get(name, default) if found else default
