"""Checks of which tracklets there are, by the lists alone."""

import os
from collections import defaultdict

import numpy as np

from csipreid.datasets.frame_files import natural_sorted
from csipreid.diagnosis.report import Report

JUNK, DISTRACTOR = -1, 0


def count_subset(report: Report, subset: str, tracklets: list[dict]) -> list[dict]:
    """Count the tracklets of a subset; return those that are not junk."""
    used = [item for item in tracklets if item['pid'] != JUNK]
    pids = {item['pid'] for item in used}
    persons = pids if subset == 'train' else pids - {DISTRACTOR}
    lengths = [len(item['frame_paths']) for item in used]
    report.subsets[subset] = dict(
        tracklets=len(used),
        junk=len(tracklets) - len(used),
        distractors=0 if subset == 'train' else sum(i['pid'] == DISTRACTOR for i in used),
        identities=len(persons),
        cameras=len({item['camid'] for item in used if item['camid'] >= 0}),
        unknown_cameras=sum(item['camid'] < 0 for item in used),
        frames=sum(lengths),
        shortest=min(lengths, default=0),
        longest=max(lengths, default=0),
        mean_length=round(float(np.mean(lengths)), 2) if lengths else 0.0,
    )
    return used


def check_lists(report: Report, subset: str, tracklets: list[dict], clip_len: int) -> None:
    """Look for tracklets that are short, out of order or of cameras half known."""
    short = [item['frame_paths'][0] for item in tracklets if len(item['frame_paths']) < clip_len]
    if short:
        report.add(
            'note',
            'tracklet-short',
            subset,
            f'{len(short)} of {len(tracklets)} tracklets have fewer than the {clip_len} frames of '
            'a clip; their last frame is repeated',
            short,
        )
    disordered = []
    for item in tracklets:
        names = [os.path.basename(path) for path in item['frame_paths']]
        if names != natural_sorted(names):
            disordered.append(item['frame_paths'][0])
    if disordered:
        report.add(
            'warning',
            'frame-order',
            subset,
            f'{len(disordered)} tracklets do not list their frames by the numbers in their names; '
            'clips need the order of time',
            disordered,
        )
    unknown = [item for item in tracklets if item['camid'] < 0]
    if 0 < len(unknown) < len(tracklets):
        report.add(
            'warning',
            'camera-mixed',
            subset,
            f'{len(unknown)} of {len(tracklets)} tracklets have no camera; name it for all or none',
            [item['frame_paths'][0] for item in unknown],
        )


def check_identities(report: Report, subsets: dict[str, list[dict]]) -> None:
    """Look for persons in training and testing, and for persons under one camera."""
    pids = {
        subset: {item['pid'] for item in items} - {DISTRACTOR} for subset, items in subsets.items()
    }
    train = subsets.get('train', [])
    shared = sorted(
        pids.get('train', set()) & (pids.get('query', set()) | pids.get('gallery', set()))
    )
    if shared:
        report.add(
            'warning',
            'identity-overlap',
            'all',
            f'{len(shared)} persons are in training and in testing; the measures would be too good',
            [f'person {pid}' for pid in shared],
        )
    cameras = defaultdict(set)
    for item in train:
        cameras[item['pid']].add(item['camid'])
    single = sorted(pid for pid, seen in cameras.items() if len(seen) == 1 and -1 not in seen)
    if single and len({item['camid'] for item in train}) > 1:
        report.add(
            'note',
            'identity-one-camera',
            'train',
            f'{len(single)} of {len(cameras)} persons are seen by one camera only; they teach '
            'nothing about the change of camera',
            [f'person {pid}' for pid in single],
        )


def check_cameras(report: Report, subsets: dict[str, list[dict]], embedded: bool) -> None:
    """Look for cameras in testing that training does not know."""
    known = {item['camid'] for item in subsets.get('train', [])} - {-1}
    if 'train' not in subsets:
        return
    if embedded and not known:
        report.add(
            'error',
            'camera-unknown',
            'train',
            'the model has a camera embedding, but no training tracklet names its camera; set '
            'model.camera_embedding=None',
        )
        return
    for subset in ('query', 'gallery'):
        items = subsets.get(subset, [])
        strange = sorted({item['camid'] for item in items} - known - {-1})
        if not strange or not known:
            continue
        beyond = [camid for camid in strange if camid > max(known)]
        report.add(
            'error' if embedded and beyond else 'warning' if embedded else 'note',
            'camera-unseen',
            subset,
            f'cameras {[camid + 1 for camid in strange]} are not among the cameras '
            f'{[camid + 1 for camid in sorted(known)]} of training'
            + (
                '; the camera embedding has no trained row for them: correct the camera, or set '
                'model.camera_embedding=None'
                if embedded
                else ''
            ),
            [item['frame_paths'][0] for item in items if item['camid'] in strange],
        )


def check_batches(report: Report, tracklets: list[dict], loader: dict, source: str = '') -> None:
    """Look whether training can fill its batches.

    Args:
        report: Gets the findings.
        tracklets: Those to train on.
        loader: Config of the data loader.
        source: What trains so, for the message; empty for the config that is examined.
    """
    sampler = loader.get('sampler') or {}
    batch_size = loader.get('batch_size', 1)
    batch = f'a batch of {source}' if source else 'a batch'
    persons = len({item['pid'] for item in tracklets})
    if sampler.get('type') == 'IdentitySampler':
        drawn = sampler.get('batch_size', batch_size)
        needed = drawn // max(1, sampler.get('num_instances', 1))
        if persons < needed:
            report.add(
                'error',
                'too-few-identities',
                'train',
                f'{batch} needs {needed} persons, there are {persons}; train on more, or lower '
                'batch_size in train_dataloader and its sampler',
            )
    elif loader.get('drop_last') and len(tracklets) < batch_size:
        report.add(
            'error',
            'too-few-tracklets',
            'train',
            f'{batch} needs {batch_size} tracklets, there are {len(tracklets)}; lower batch_size',
        )
    if persons == 1 and not source:
        report.add(
            'warning', 'one-identity', 'train', 'there is one person; nobody to tell it apart from'
        )
