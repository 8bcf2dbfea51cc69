"""Checks of the image files of a subset."""

import os
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from csipreid.datasets.transforms.file_listing import find_missing, find_twins
from csipreid.datasets.transforms.image_files import decode_image
from csipreid.diagnosis.report import Report
from csipreid.worker_processes import worker_pool

_SMALLEST = 8  # pixels; a side below this shows nobody
_CHUNK = 256


class FrameState(NamedTuple):
    """What one image file is like.

    Attributes:
        error: Why it cannot be read, empty if it can.
        size: Height and width in pixels.
        checksum: CRC of its bytes.
    """

    error: str
    size: tuple[int, int]
    checksum: int


def check_frames(
    report: Report,
    subset: str,
    tracklets: Sequence[dict],
    num_workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> dict[str, FrameState]:
    """Look for frames that are missing, unreadable, tiny or in two persons' tracklets.

    Returns:
        What the frames that exist are like.
    """
    paths = [path for item in tracklets for path in item['frame_paths']]
    folders = sorted({os.path.dirname(path) for path in paths})
    closed = [folder for folder in folders if not _can_list(folder)]
    if closed:
        report.add(
            'error', 'folder-unreadable', subset, f'{len(closed)} folders cannot be read', closed
        )
    shut = set(closed)
    open_paths = [path for path in paths if os.path.dirname(path) not in shut]
    missing = find_missing(open_paths)
    if missing:
        report.add(
            'error', 'frame-missing', subset,
            f'{len(missing)} of {len(paths)} frames do not exist; see README, "Data"', missing,
        )  # fmt: skip
    lacking = set(missing)
    present = [path for path in open_paths if path not in lacking]
    states = dict(zip(present, _read_all(present, num_workers, progress), strict=True))
    _report_states(report, subset, states)
    _report_shared(report, subset, tracklets, states)
    _report_twins(report, subset, present)
    report.subsets[subset].update(frames_missing=len(missing), frames_read=len(present))
    return states


def check_leaks(report: Report, states: dict[str, dict[str, FrameState]]) -> None:
    """Look for frames of one subset in another: the same file, by links too, or equal bytes.

    Args:
        report: Gets the findings.
        states: What the frames of each subset are like, by their paths.
    """
    names = list(states)
    for index, first in enumerate(names):
        known = {(s.checksum, s.size): path for path, s in states[first].items() if not s.error}
        for second in names[index + 1 :]:
            # Links need no look of their own: what they lead to has equal bytes.
            leaks = [
                f'{known[state.checksum, state.size]} = {path}'
                for path, state in states[second].items()
                if not state.error and (state.checksum, state.size) in known
            ]
            if leaks:
                report.add(
                    'warning', 'frame-leak', second,
                    f'{len(leaks)} frames are also in the {first} set; the measures would be too '
                    'good', leaks,
                )  # fmt: skip


def _report_twins(report: Report, subset: str, paths: Sequence[str]) -> None:
    """Report paths of a subset that lead to one file."""
    twins = find_twins(paths)
    if twins:
        report.add(
            'error', 'frame-twice', subset,
            f'{len(twins)} frames are the same file as another, by links; each frame belongs to '
            'one tracklet, once', [f'{first} = {second}' for first, second in twins],
        )  # fmt: skip


def _report_states(report: Report, subset: str, states: dict[str, FrameState]) -> None:
    """Report what single files are like."""
    empty = [path for path, state in states.items() if state.error == 'empty']
    broken = [s.error for s in states.values() if s.error not in ('', 'empty')]
    tiny = [
        f'{path}: {state.size[0]} x {state.size[1]}'
        for path, state in states.items()
        if not state.error and min(state.size) < _SMALLEST
    ]
    if empty:
        report.add('error', 'frame-empty', subset, f'{len(empty)} frames have no bytes', empty)
    if broken:
        report.add(
            'error', 'frame-unreadable', subset, f'{len(broken)} frames are no whole images', broken
        )
    if tiny:
        report.add(
            'warning', 'frame-tiny', subset, f'{len(tiny)} frames show next to nothing', tiny
        )


def _report_shared(
    report: Report, subset: str, tracklets: Iterable[dict], states: dict[str, FrameState]
) -> None:
    """Report files of equal content in the tracklets of different persons."""
    owners: dict[tuple, dict[int, str]] = defaultdict(dict)
    for item in tracklets:
        for path in item['frame_paths']:
            if path in states and not states[path].error:
                owners[states[path].checksum, states[path].size].setdefault(item['pid'], path)
    shared = [' = '.join(people.values()) for people in owners.values() if len(people) > 1]
    if shared:
        report.add(
            'warning', 'frame-shared', subset,
            f'{len(shared)} images are in the tracklets of several persons; one label is wrong',
            shared,
        )  # fmt: skip


def _can_list(folder: str) -> bool:
    """Return whether a folder can be listed; one that does not exist has missing frames."""
    try:
        os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return True


def _read_all(
    paths: Sequence[str], num_workers: int, progress: Callable[[int], None] | None
) -> Iterator[FrameState]:
    """Yield the state of each file."""
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    if num_workers <= 1:
        results: Iterator[list[FrameState]] = map(_read_chunk, chunks)
        yield from _flatten(results, progress)
        return
    with worker_pool(num_workers) as pool:
        yield from _flatten(pool.map(_read_chunk, chunks), progress)


def _flatten(
    results: Iterator[list[FrameState]], progress: Callable[[int], None] | None
) -> Iterator[FrameState]:
    """Yield one state after the other."""
    for states in results:
        if progress is not None:
            progress(len(states))
        yield from states


def _read_chunk(paths: Sequence[str]) -> list[FrameState]:
    """Read some files."""
    return [_read(path) for path in paths]


def _read(path: str) -> FrameState:
    """Read one file."""
    try:
        with open(path, 'rb') as file:
            content = file.read()
        if not content:
            return FrameState('empty', (0, 0), 0)
        height, width = decode_image(path).shape[:2]
    except (OSError, ValueError) as error:
        return FrameState(str(error), (0, 0), 0)
    return FrameState('', (height, width), zlib.crc32(content))
