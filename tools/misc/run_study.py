"""Train and test several configs for several seeds, and compare them in one table.

A study is a Python config file::

    seeds = [0, 1, 2]
    data = dict(walkers=dict(ids=[192, 96]))      # made for each seed; or dict(root='data/mars')
    control = 'image_only'                        # what the others are compared with
    ceilings = True                               # rows without training; walkers only
    runs = dict(
        image_only=dict(config='configs/baselines/image_only_walkers.py'),
        stage1=dict(config='configs/csip/stage1_walkers.py', pretrained='image_only'),
        csip=dict(
            title='CSIP',
            config='configs/csip/stage2_walkers.py',
            pretrained='stage1',
            options=dict(train_cfg=dict(max_epochs=12)),
        ),
    )

Each run is ``tools/train.py`` and ``tools/test.py`` with that config, the ``options`` merged into
it. A run whose ``pretrained`` names another starts from its last checkpoint; ``train=False``
only tests. What is finished is not done again and a training that was killed goes on, so the
command can be repeated until it is through, with the table of a study that was not interrupted.
A run that fails is named, and those that do not need it go on.

In the folder: ``study.json``, ``study.md`` (the table: mean and range over the seeds, difference
to the control seed by seed, time and memory), ``study.png``, and for each seed and run its log,
checkpoints, ``metrics.json`` and ``features.npz``.

    python tools/misc/run_study.py configs/csip_plus/study_walkers.py --out study
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from study_plan import ROOT, Run, Study, plan_of, read_study
from study_report import write_report
from study_tasks import Task, run_command, run_tasks

from csipreid.arguments import output_folder, whole
from csipreid.engine.config import read_config
from csipreid.engine.test_mode import configs_of_type
from csipreid.evaluation.json_file import write_json

_WAIT = 30  # seconds for the processes of a study that was just killed


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('study', type=Path, help='study file')
    parser.add_argument('--out', type=output_folder, required=True, help='folder for all')
    parser.add_argument('--seeds', type=whole(0), nargs='+', help="in place of the study's")
    parser.add_argument('--data-root', help="data set in place of the study's")
    parser.add_argument(
        '--jobs',
        type=whole(1),
        default=os.cpu_count() or 1,
        help='runs at a time; the cores are divided among them (one GPU: 1)',
    )
    return parser.parse_args(argv)


class StudyFolder:
    """The folder of a study, and the tasks that fill it.

    Args:
        out: Folder for all.
        study: The study.
        threads: Threads of each process.
    """

    def __init__(self, out: Path, study: Study, threads: int) -> None:
        self.out = out
        self.study = study
        self.threads = threads

    def tasks(self) -> list[Task]:
        """List what is to be done, the first seed first."""
        result = []
        for seed in self.study.seeds:
            data = () if self.study.data_root else (f'seed {seed}: data',)
            if data:
                result.append(Task(data[0], (), partial(self._make_data, seed)))
            if self.study.ceilings:
                name = f'seed {seed}: ceilings'
                result.append(Task(name, data, partial(self._rank_ceilings, seed)))
            names = {run.name for run in self.study.runs}
            for run in self.study.runs:
                start = (f'seed {seed}: {run.pretrained}',) if run.pretrained in names else ()
                name = f'seed {seed}: {run.name}'
                result.append(Task(name, (*data, *start), partial(self._run, run, seed)))
        return result

    def check(self) -> None:
        """Refuse a folder that holds results of other settings.

        Raises:
            ValueError: If a run was made otherwise than the study says now.
        """
        for seed in self.study.seeds:
            for run in self.study.runs:
                file = self.folder(seed, run.name) / 'plan.json'
                if not file.is_file():
                    continue
                if _read_plan(file) != plan_of(self.study, run, seed):
                    raise ValueError(
                        f'{file.parent} was made with other settings than the study has now; '
                        'remove that folder and those of the runs that start from it, or choose '
                        'another --out'
                    )

    def folder(self, seed: int, name: str) -> Path:
        """Return the folder of a run."""
        return self.out / f'seed{seed}' / name

    def data_root(self, seed: int) -> str:
        """Return the folder of the data."""
        return self.study.data_root or str(self.out / f'seed{seed}' / 'walkers')

    def _make_data(self, seed: int) -> None:
        """Render the walkers of a seed; what is there already is kept."""
        options: list[str] = []
        for name, value in self.study.walkers.items():
            values = value if isinstance(value, list | tuple) else [value]
            options += [f'--{name}', *map(str, values)]
        out = self.data_root(seed)
        tool = ROOT / 'tools/dataset_converters/make_walkers.py'
        options += ['--workers', str(self.threads)]
        command = [sys.executable, tool, '--out', out, '--seed', seed, *options]
        run_command(map(str, command), self.folder(seed, 'logs') / 'walkers.log', self.threads)

    def _rank_ceilings(self, seed: int) -> None:
        """Score what needs no training."""
        result = self.folder(seed, 'ceilings') / 'metrics.json'
        if not result.is_file():
            tool = ROOT / 'tools/analysis_tools/ceilings.py'
            command = [sys.executable, tool, self.data_root(seed), '--json', result]
            run_command(command, result.parent / 'log.txt', self.threads)

    def _run(self, run: Run, seed: int) -> None:
        """Train and test one run, as far as that is not done."""
        folder = self.folder(seed, run.name)
        result = folder / 'metrics.json'
        if result.is_file():
            return
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / 'plan.json', plan_of(self.study, run, seed))
        # Not in the folder of the run, where the runner writes the whole config by this name.
        config = self.folder(seed, 'configs') / f'{run.name}.py'
        config.parent.mkdir(exist_ok=True)
        config.write_text(run.config_text(), encoding='utf-8')
        train = dict(seconds=0.0, cpu_seconds=0.0, peak_gb=0.0)
        if run.train:
            trained = folder / 'trained.json'
            if not trained.is_file():
                write_json(trained, self._train(run, seed, config))
            train = json.loads(trained.read_text(encoding='utf-8'))
        test = self._test(run, seed, config)
        measures = json.loads((folder / 'measures.json').read_text(encoding='utf-8'))
        write_json(result, dict(measures=measures, train=train, test=test))

    def _train(self, run: Run, seed: int, config: Path) -> dict[str, Any]:
        """Train a run, or go on with it; return what it took, if it was not interrupted."""
        folder = self.folder(seed, run.name)
        fresh = not (folder / 'train.log').is_file()
        # fmt: off
        command = [
            sys.executable, ROOT / 'tools/train.py', config, '--data-root', self.data_root(seed),
            '--work-dir', folder, '--seed', seed, '--no-validate', '--resume',
        ]
        # fmt: on
        if run.pretrained is not None:
            command += ['--pretrained', self._checkpoint(run.pretrained, seed)]
        took = run_command(map(str, command), folder / 'train.log', self.threads)
        return took if fresh else dict(took, seconds=None, cpu_seconds=None)

    def _test(self, run: Run, seed: int, config: Path) -> dict[str, float]:
        """Test a run; its measures go to a file."""
        folder = self.folder(seed, run.name)
        # fmt: off
        command = [
            sys.executable, ROOT / 'tools/test.py', config,
            *([self._checkpoint(run.name, seed)] if run.train else []),
            '--data-root', self.data_root(seed), '--work-dir', folder / 'test',
            '--out', folder / 'measures.json',
        ]
        # fmt: on
        if any(configs_of_type(read_config(config).get('test_evaluator'), 'ReIDMetric')):
            command += ['--dump', folder / 'features.npz']
        return run_command(map(str, command), folder / 'test.log', self.threads)

    def _checkpoint(self, name: str, seed: int) -> str:
        """Return the last checkpoint of a run, or the file of that name."""
        last = self.folder(seed, name) / 'last_checkpoint'
        return last.read_text(encoding='utf-8').strip() if last.is_file() else name


def _read_plan(file: Path) -> Any:
    """Read what a run was made with; None if the file is broken."""
    try:
        return json.loads(file.read_text(encoding='utf-8'))
    except (ValueError, RecursionError):
        return None


def main(argv: Sequence[str] | None = None) -> None:
    """Run the study and write its report."""
    args = parse_args(argv)
    try:
        study = read_study(args.study, args.seeds, args.data_root)
        out = args.out.resolve()
        out.mkdir(parents=True, exist_ok=True)
        folder = StudyFolder(out, study, max(1, (os.cpu_count() or 1) // args.jobs))
        folder.check()
        with FileLock(out / 'study.lock', timeout=_WAIT):
            failed = _run_all(folder, args.jobs)
    except (OSError, ValueError) as error:
        busy = isinstance(error, Timeout)
        sys.exit(f'error: a study is running in {args.out} already' if busy else f'error: {error}')
    if failed:
        sys.exit(f'{len(failed)} of the runs failed: {", ".join(failed)}; see above')


def _run_all(folder: StudyFolder, jobs: int) -> dict[str, str]:
    """Do all tasks under a progress bar, then write and print the report."""
    tasks = folder.tasks()
    console = Console(soft_wrap=True)
    columns = (
        TextColumn('study'),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task('study', total=len(tasks))

        def report(task: Task, error: str | None) -> None:
            progress.advance(bar)
            console.print(
                f'{task.name}: ' + ('done' if error is None else f'FAILED\n{error}'), markup=False
            )

        failed = run_tasks(tasks, jobs, report)
    table = write_report(folder.study, folder.out, failed)
    console.print(
        f'\n{table}\nsee study.json, study.md and study.png in {folder.out}', markup=False
    )
    return failed


if __name__ == '__main__':
    main()
