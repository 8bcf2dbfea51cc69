"""The table and the picture of a study."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from csipreid.checkpoint import put_in_place
from csipreid.evaluation.json_file import write_json

matplotlib.use('Agg')  # pictures go to files, also where there is no screen
from matplotlib import pyplot as plt
from study_plan import Study

_CEILINGS = {
    'chance': 'chance (random embeddings)',
    'clothing_oracle': 'clothing oracle (who wears what, and nothing else)',
    'skeleton_oracle': 'skeleton oracle (bone lengths of the exact skeletons)',
}
_SHOWN = ('mAP', 'rank-1')


def write_report(study: Study, out: Path, failed: Mapping[str, str]) -> str:
    """Write ``study.json``, ``study.md`` and ``study.png`` from what the runs left.

    Args:
        study: The study.
        out: Its folder.
        failed: What went wrong, by the name of the task.

    Returns:
        The text of ``study.md``.
    """
    rows = collect(study, out)
    write_json(
        out / 'study.json',
        dict(seeds=list(study.seeds), control=study.control, rows=rows, failed=dict(failed)),
    )
    kinds = sorted({kind for row in rows for kind in row['measures']})
    kinds.sort(key=lambda kind: kind != 'reid')
    text = '\n\n'.join(table(rows, kind, study) for kind in kinds)
    if failed:
        text += '\n\nFailed: ' + '; '.join(
            f'{name} ({reason.splitlines()[-1]})' for name, reason in failed.items()
        )
    partial = out / 'study.md.partial'
    partial.write_text(text + '\n', encoding='utf-8')
    put_in_place(partial, out / 'study.md')
    draw(rows, study, out / 'study.png')
    return text


def collect(study: Study, out: Path) -> list[dict[str, Any]]:
    """Gather the rows: ceilings, then runs.

    Returns:
        For each row ``name``, ``title``, ``measures`` by kind ('reid', 'skeleton', …), measure
        and seed, in percent, ``seconds`` and ``peak_gb`` by seed.
    """
    rows: list[dict[str, Any]] = []
    if study.ceilings:
        found = _read(out, study, 'ceilings')
        for name, title in _CEILINGS.items():
            measures = {seed: {f'reid/{k}': v for k, v in all_rows[name].items()}
                        for seed, all_rows in found.items()}  # fmt: skip
            rows.append(_row(name, title, measures, {}))
    for run in study.runs:
        results = _read(out, study, run.name)
        measures = {seed: result['measures'] for seed, result in results.items()}
        rows.append(_row(run.name, run.title, measures, results))
    return [row for row in rows if row['measures']]


def table(rows: Sequence[Mapping[str, Any]], kind: str, study: Study) -> str:
    """Format the rows that have measures of a kind as a Markdown table."""
    rows = [row for row in rows if kind in row['measures']]
    control = next((r['measures'][kind] for r in rows if r['name'] == study.control), None)
    head = [f'{kind}, percent', *_SHOWN]
    head += [f'{name} − control' for name in _SHOWN] if control else []
    lines = [[*head, 'seconds', 'GB'], ['---'] * (len(head) + 2)]
    for row in rows:
        measures = row['measures'][kind]
        cells = [row['title'], *(_spread(measures[name].values()) for name in _SHOWN)]
        if control:
            cells += [_difference(measures[name], control[name]) for name in _SHOWN]
        cells += [
            _mean(row[name].values(), digits) for name, digits in (('seconds', 0), ('peak_gb', 1))
        ]
        lines.append(cells)
    seeds = ', '.join(map(str, study.seeds))
    note = f'Mean over the seeds {seeds}, least and greatest in brackets.'
    if control:
        note += ' Differences are taken seed by seed.'
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines) + f'\n\n{note}'


def draw(rows: Sequence[Mapping[str, Any]], study: Study, path: Path) -> None:
    """Draw mAP and rank-1 of each retrieval row: a bar for the mean, a dot for each seed."""
    rows = [row for row in rows if 'reid' in row['measures']]
    figure, panels = plt.subplots(
        1, 2, figsize=(11, 1.2 + 0.38 * len(rows)), sharey=True, layout='constrained'
    )
    places = np.arange(len(rows))
    for panel, name in zip(panels, _SHOWN, strict=True):
        for place, row in zip(places, rows, strict=True):
            values = list(row['measures']['reid'][name].values())
            colour = 'tab:orange' if row['name'] == study.control else 'tab:blue'
            colour = 'lightgrey' if row['name'] in _CEILINGS else colour
            panel.barh(place, np.mean(values), color=colour, height=0.7)
            panel.plot(values, [place] * len(values), 'k.', markersize=6)
        panel.set_xlabel(f'{name}, percent')
        panel.set_xlim(0, 100)
        panel.grid(axis='x', alpha=0.3)
        for row in rows:
            if row['name'] == 'clothing_oracle':
                panel.axvline(
                    float(np.mean(list(row['measures']['reid'][name].values()))),
                    color='grey', linestyle='--', linewidth=1,
                )  # fmt: skip
    panels[0].set_yticks(places, [row['title'].split(' (')[0] for row in rows])
    panels[0].invert_yaxis()
    partial = path.with_name(f'{path.name}.partial')
    figure.savefig(partial, format='png', dpi=110)
    plt.close(figure)
    put_in_place(partial, path)


def _read(out: Path, study: Study, name: str) -> dict[int, Any]:
    """Read the results of a run, by seed."""
    files = {seed: out / f'seed{seed}' / name / 'metrics.json' for seed in study.seeds}
    return {
        seed: json.loads(file.read_text(encoding='utf-8'))
        for seed, file in files.items()
        if file.is_file()
    }


def _row(
    name: str, title: str, measures: Mapping[int, Mapping[str, float]], results: Mapping[int, Any]
) -> dict[str, Any]:
    """Arrange the measures of a row by kind, name and seed."""
    by_kind: dict[str, dict[str, dict[str, float]]] = {}
    for seed, values in measures.items():
        for key, value in values.items():
            kind, _, measure = key.partition('/')
            if measure in _SHOWN:
                by_kind.setdefault(kind, {}).setdefault(measure, {})[str(seed)] = round(value, 2)
    seconds = {
        str(seed): result['train']['seconds'] + result['test']['seconds']
        for seed, result in results.items()
        if result['train']['seconds'] is not None
    }
    peak = {str(seed): result['train']['peak_gb'] for seed, result in results.items()}
    return dict(name=name, title=title, measures=by_kind, seconds=seconds, peak_gb=peak)


def _spread(values: Any) -> str:
    """Write mean and range."""
    numbers = list(values)
    mean = f'{np.mean(numbers):.1f}'
    return mean if len(numbers) < 2 else f'{mean} ({min(numbers):.1f} to {max(numbers):.1f})'


def _difference(values: Mapping[str, float], control: Mapping[str, float]) -> str:
    """Write the mean and range of the differences of the seeds that both have."""
    numbers = [values[seed] - control[seed] for seed in values if seed in control]
    if not numbers:
        return ''
    mean = f'{np.mean(numbers):+.1f}'
    return mean if len(numbers) < 2 else f'{mean} ({min(numbers):+.1f} to {max(numbers):+.1f})'


def _mean(values: Any, digits: int) -> str:
    """Write a mean, or nothing."""
    numbers = list(values)
    return f'{np.mean(numbers):.{digits}f}' if numbers and max(numbers) > 0 else ''


if __name__ == '__main__':
    print('usage: python tools/misc/run_study.py --help; this file is a part of it')
