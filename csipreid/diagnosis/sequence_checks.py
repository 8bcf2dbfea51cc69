"""Checks of skeleton sequences without frames."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from csipreid.diagnosis.report import Report

_SAME = 0.5  # share of a sequence's frames that makes two sequences copies


def check_copies(report: Report, subsets: Mapping[str, Sequence[dict]]) -> None:
    """Look for sequences that occur twice.

    Two sequences are copies if half the frames of the shorter, or more, are equal to the
    last bit. A sequence that trains may also be in the gallery, as some protocols have it, if
    it is of one person.

    Args:
        report: Gets the findings.
        subsets: For each subset its sequences, with ``sequence`` (n, V, 3), ``pid`` and
            ``frame_paths``.
    """
    items = [(subset, item) for subset, found in subsets.items() for item in found]
    owners: dict[bytes, set[int]] = defaultdict(set)
    frames = [{frame.tobytes() for frame in item['sequence'] if frame.any()} for _, item in items]
    for number, own in enumerate(frames):
        for frame in own:
            owners[frame].add(number)
    shared = Counter(
        (first, second)
        for numbers in owners.values()
        if len(numbers) > 1
        for first in numbers
        for second in numbers
        if first < second
    )
    found: dict[str, list[str]] = defaultdict(list)
    for (first, second), count in sorted(shared.items()):
        if count < _SAME * min(len(frames[first]), len(frames[second])):
            continue
        (subset, item), (other_subset, other) = items[first], items[second]
        persons = '' if item['pid'] == other['pid'] else f' (persons {item["pid"]}, {other["pid"]})'
        if {subset, other_subset} == {'train', 'gallery'} and not persons:
            continue
        where = subset if subset == other_subset else 'all'
        found[where].append(f'{item["frame_paths"][0]} = {other["frame_paths"][0]}{persons}')
    for where, pairs in found.items():
        report.add(
            'warning', 'sequence-twice', where,
            f'{len(pairs)} pairs of sequences are one recording; leave one of each out, or the '
            'measures say little', pairs,
        )  # fmt: skip
