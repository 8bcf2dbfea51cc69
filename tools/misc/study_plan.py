"""Reading a study, and what it asks for seed by seed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from csipreid.engine.config import read_config

ROOT = Path(__file__).resolve().parents[2]
_STUDY_KEYS = {'seeds', 'data', 'runs', 'control', 'ceilings'}
_RUN_KEYS = {'title', 'config', 'pretrained', 'options', 'train'}


@dataclass(frozen=True)
class Run:
    """One row of a study: a config that is trained and tested for each seed.

    Args:
        name: Name of the row and of its folders.
        title: How tables call it.
        config: Config file.
        pretrained: Run or file whose weights the training starts from.
        options: What to change in the config, nested as there.
        train: Whether to train; a config without weights is only tested.
    """

    name: str
    title: str
    config: Path
    pretrained: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    train: bool = True

    def config_text(self) -> str:
        """Return a config file: this run's, with its options."""
        lines = [f'_base_ = {str(self.config)!r}']
        lines += [f'{key} = {value!r}' for key, value in self.options.items()]
        return '\n'.join(lines) + '\n'


@dataclass(frozen=True)
class Study:
    """A comparison of runs over seeds.

    Args:
        seeds: Seeds of the trainings, and of the walkers where these are made.
        runs: The runs; one comes after those it starts from.
        control: The run that others are compared with, or None.
        data_root: Folder of the data set; None makes walkers for each seed.
        walkers: Arguments of ``make_walkers.py``: ``ids``, ``cams``, ``tracklets``, ``frames``.
        ceilings: Whether to add rows that need no training; only for walkers.
    """

    seeds: tuple[int, ...]
    runs: tuple[Run, ...]
    control: str | None
    data_root: str | None
    walkers: Mapping[str, Any]
    ceilings: bool


def read_study(
    path: Path, seeds: Sequence[int] | None = None, data_root: str | None = None
) -> Study:
    """Read a study from a Python config file.

    Args:
        path: The file, with ``seeds``, ``data`` (``dict(root=FOLDER)`` or
            ``dict(walkers=dict(ids=[N, M]))``), ``runs`` (a dict of dicts, see
            :class:`Run`), and perhaps ``control`` and ``ceilings``.
        seeds: In place of the file's.
        data_root: In place of the file's data.

    Raises:
        FileNotFoundError: If the study or a config file does not exist.
        ValueError: If it cannot be read, or asks for something that cannot be.
    """
    content = read_config(path).to_dict()
    _check_keys(content, _STUDY_KEYS, str(path))
    data = content.get('data', {})
    _check_keys(data, {'root', 'walkers'}, f'{path}: data')
    root = data_root or data.get('root')
    walkers = {} if root else data.get('walkers')
    if walkers is None:
        raise ValueError(
            f'{path} names no data: set data to dict(root=FOLDER) or to '
            'dict(walkers=dict(ids=[N, M])), or pass --data-root'
        )
    runs = _read_runs(content.get('runs') or {}, path)
    control = content.get('control')
    if control is not None and control not in {run.name for run in runs}:
        raise ValueError(f'{path}: control {control!r} is none of the runs')
    chosen = tuple(seeds or content.get('seeds') or (0,))
    if len(set(chosen)) < len(chosen) or any(type(s) is not int or s < 0 for s in chosen):
        raise ValueError(f'{path}: seeds must be different whole numbers from 0, got {chosen}')
    return Study(
        seeds=chosen,
        runs=runs,
        control=control,
        data_root=root,
        walkers=walkers,
        ceilings=bool(content.get('ceilings', False)),
    )


def plan_of(study: Study, run: Run, seed: int) -> dict[str, Any]:
    """Return what decides the result of a run, to compare with what a folder holds."""
    text = Config.fromstring(run.config_text(), '.py').pretty_text
    return dict(
        config=hashlib.sha256(text.encode()).hexdigest(),
        pretrained=run.pretrained,
        seed=seed,
        data_root=study.data_root,
        walkers=dict(study.walkers),
    )


def _read_runs(runs: Mapping[str, dict], path: Path) -> tuple[Run, ...]:
    """Read the runs, in order."""
    if not runs:
        raise ValueError(f'{path} has no runs')
    result: list[Run] = []
    for name, settings in runs.items():
        where = f'{path}: runs.{name}'
        _check_keys(settings, _RUN_KEYS, where)
        if not name.replace('_', '').replace('-', '').isalnum():
            raise ValueError(f'{where}: a name has letters, digits, - and _ only')
        if 'config' not in settings:
            raise ValueError(f'{where} names no config')
        config = Path(settings['config'])
        config = config if config.is_absolute() or config.is_file() else ROOT / config
        if not config.is_file():
            raise FileNotFoundError(f'{where}: config {settings["config"]} not found')
        start = settings.get('pretrained')
        if start is not None and start not in [r.name for r in result] and not Path(start).exists():
            raise ValueError(
                f'{where}: pretrained {start!r} is neither a file nor a run that stands before it'
            )
        run = Run(
            name=name,
            title=settings.get('title', name.replace('_', ' ')),
            config=config.resolve(),
            pretrained=start,
            options=settings.get('options', {}),
            train=settings.get('train', True),
        )
        result.append(run)
    return tuple(result)


def _check_keys(content: Mapping[str, Any], known: set[str], where: str) -> None:
    """Refuse keys that nothing reads.

    Raises:
        ValueError: With their names.
    """
    unknown = sorted(set(content) - known)
    if unknown:
        raise ValueError(f'{where} has unknown keys {unknown}; known are {sorted(known)}')


if __name__ == '__main__':
    print('usage: python tools/misc/run_study.py --help; this file is a part of it')
