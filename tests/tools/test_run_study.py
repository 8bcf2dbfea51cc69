import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest

ROOT = Path(__file__).parents[2]
MISC = ROOT / 'tools' / 'misc'
TINY = """
seeds = [0, 1]
data = dict(walkers=dict(ids=[8, 4], cams=2, tracklets=[2, 2], frames=[4, 6]))
control = 'tower'
ceilings = True
small = dict(
    train_cfg=dict(max_epochs=1),
    param_scheduler=dict(total=1, warmup=0),
    train_dataloader=dict(batch_size=8, sampler=dict(batch_size=8)),
)
runs = dict(
    colour=dict(config='configs/baselines/colour_histogram_walkers.py', train=False),
    tower=dict(config='configs/csip_plus/image_only_walkers.py', options=small),
    joints=dict(
        title='joints',
        config='configs/csip_plus/stage2_walkers.py',
        pretrained='tower',
        options=small,
    ),
    broken=dict(
        config='configs/csip_plus/stage2_walkers.py',
        pretrained='tower',
        options=dict(small, optim_wrapper=dict(optimizer=dict(lr=-1.0))),
    ),
    after_broken=dict(
        config='configs/csip_plus/stage2_walkers.py', pretrained='broken', options=small
    ),
)
del small
"""


def load(name):
    if str(MISC) not in sys.path:
        sys.path.insert(0, str(MISC))
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, MISC / f'{name}.py')
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture
def plan():
    return load('study_plan')


@pytest.fixture
def tasks():
    return load('study_tasks')


@pytest.fixture
def report():
    return load('study_report')


def write(tmp_path, text):
    path = tmp_path / 'study.py'
    path.write_text(text)
    return path


def command(study, out):
    tool = str(MISC / 'run_study.py')
    return [sys.executable, tool, str(study), '--out', str(out), '--jobs', '2']


def test_shipped_studies_can_be_read(plan):
    for path in [*(ROOT / 'configs').rglob('study_*.py'), ROOT / 'demo' / 'quickstart_study.py']:
        study = plan.read_study(path)
        assert study.control in {run.name for run in study.runs}
        for run in study.runs:
            plan.plan_of(study, run, 0)  # its config and options can be merged


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ("runs = dict(a=dict(config='configs/csip/stage1_mars.py'))", 'names no data'),
        ("data = dict(root='x')", 'has no runs'),
        ("data = dict(root='x')\nrun = 1", r"unknown keys \['run'\]"),
        ("data = dict(root='x')\nruns = dict(a=dict(config='no.py'))", 'config no.py not found'),
        (
            "data = dict(root='x')\n"
            "runs = dict(a=dict(config='configs/csip/stage1_mars.py', pretrained='b'))",
            "pretrained 'b' is neither a file nor a run that stands before it",
        ),
        (
            "data = dict(root='x')\ncontrol = 'b'\n"
            "runs = dict(a=dict(config='configs/csip/stage1_mars.py'))",
            "control 'b' is none of the runs",
        ),
        (
            "data = dict(root='x')\nseeds = [1, 1]\n"
            "runs = dict(a=dict(config='configs/csip/stage1_mars.py'))",
            'seeds must be different whole numbers',
        ),
    ],
)
def test_a_study_that_cannot_be_is_one_sentence(plan, tmp_path, text, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        plan.read_study(write(tmp_path, text))


def test_other_options_are_another_plan(plan, tmp_path):
    text = (
        "data = dict(root='x')\n"
        "runs = dict(a=dict(config='configs/csip/stage1_mars.py', options=dict(log_level='{}')))"
    )
    plans = [
        plan.plan_of(study, study.runs[0], 0)
        for study in (plan.read_study(write(tmp_path, text.format(v))) for v in ('INFO', 'DEBUG'))
    ]
    assert plans[0] != plans[1]


def test_tasks_wait_for_what_they_need_and_skip_what_failed(tasks):
    done = []

    def fail():
        raise RuntimeError('broken')

    def work(name):
        return lambda: done.append(name)

    ended = []
    failed = tasks.run_tasks(
        [
            tasks.Task('c', ('a', 'b'), work('c')),
            tasks.Task('a', (), work('a')),
            tasks.Task('b', ('a',), work('b')),
            tasks.Task('x', (), fail),
            tasks.Task('y', ('x',), work('y')),
            tasks.Task('z', ('y',), work('z')),
        ],
        2,
        lambda task, error: ended.append(task.name),
    )
    assert done == ['a', 'b', 'c']
    assert sorted(ended) == ['a', 'b', 'c', 'x', 'y', 'z']
    assert failed == {
        'x': 'broken',
        'y': 'not run, because x failed',
        'z': 'not run, because y failed',
    }


def test_a_failing_command_is_told_with_the_end_of_its_log(tasks, tmp_path):
    with pytest.raises(RuntimeError, match='what went wrong'):
        tasks.run_command(
            [sys.executable, '-c', 'raise SystemExit("what went wrong")'], tmp_path / 'log', 1
        )
    took = tasks.run_command([sys.executable, '-c', 'pass'], tmp_path / 'log', 1)
    assert took['seconds'] > 0
    assert took['peak_gb'] > 0


def test_differences_are_taken_seed_by_seed(report, plan, tmp_path):
    # The ranges of the two rows overlap, yet the second is ahead by 1 to 3 in each seed.
    for name, values in dict(a=(10.0, 20.0), b=(13.0, 21.0)).items():
        for seed, value in enumerate(values):
            folder = tmp_path / f'seed{seed}' / name
            folder.mkdir(parents=True)
            measures = {'reid/mAP': value, 'reid/rank-1': 50.0, 'reid/rank-5': 1.0}
            took = dict(seconds=30.0, cpu_seconds=1.0, peak_gb=2.0)
            content = dict(measures=measures, train=took, test=took)
            (folder / 'metrics.json').write_text(json.dumps(content))
    config = "dict(config='configs/csip/stage1_mars.py')"
    text = f"seeds=[0, 1]\ndata=dict(root='x')\ncontrol='a'\nruns=dict(a={config}, b={config})"
    table = report.write_report(plan.read_study(write(tmp_path, text)), tmp_path, {})
    row = next(line for line in table.splitlines() if line.startswith('| b'))
    cells = [cell.strip() for cell in row.split('|')[2:-1]]
    assert cells == [
        '17.0 (13.0 to 21.0)',
        '50.0 (50.0 to 50.0)',
        '+2.0 (+1.0 to +3.0)',
        '+0.0 (+0.0 to +0.0)',
        '60',
        '2.0',
    ]
    assert cv2.imread(str(tmp_path / 'study.png')).std() > 0


@pytest.mark.slow
def test_killed_and_repeated_equals_uninterrupted_and_failures_are_named(tmp_path):
    study = write(tmp_path, TINY)
    whole = subprocess.run(command(study, tmp_path / 'whole'), capture_output=True, text=True)
    assert whole.returncode == 1
    assert 'seed 0: broken' in whole.stderr
    assert 'seed 1: after_broken' in whole.stderr
    expected = json.loads((tmp_path / 'whole' / 'study.json').read_text())
    names = ['chance', 'clothing_oracle', 'skeleton_oracle', 'colour', 'tower', 'joints']
    assert [row['name'] for row in expected['rows']] == names

    killed = tmp_path / 'killed'
    for seconds in (7, 23):
        process = subprocess.Popen(command(study, killed), stdout=subprocess.DEVNULL, stderr=-3)
        time.sleep(seconds)
        process.kill()
        process.wait()
    again = subprocess.run(command(study, killed), capture_output=True, text=True)
    assert again.returncode == 1
    found = json.loads((killed / 'study.json').read_text())
    for ours, theirs in zip(found['rows'], expected['rows'], strict=True):
        assert ours['measures'] == theirs['measures'], ours['name']

    changed = write(tmp_path, TINY.replace('max_epochs=1', 'max_epochs=2'))
    refused = subprocess.run(command(changed, killed), capture_output=True, text=True)
    assert refused.returncode == 1
    assert 'was made with other settings than the study has now' in refused.stderr
