"""How the commands answer: help, no arguments, and any arguments."""

import argparse
import contextlib
import io
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

TOOLS = Path(__file__).parents[2] / 'tools'
PYTHON = sorted(TOOLS.rglob('*.py'))
SHELL = sorted(TOOLS.glob('*.sh'))
# Files that hold a part of a command.
PARTS = [path for path in PYTHON if 'ArgumentParser' not in path.read_text(encoding='utf-8')]
COMMANDS = [path for path in PYTHON if path not in PARTS]


def name(path):
    return str(path.relative_to(TOOLS))


def answer(path, *arguments):
    """Run a command in this process; return its exit status and what it said."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.argv, sys.path[:]
    sys.argv, sys.path[:0] = [str(path), *arguments], [str(path.parent)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            runpy.run_path(str(path), run_name='__main__')
    except SystemExit as end:
        return end.code, out.getvalue(), err.getvalue()
    finally:
        sys.argv, sys.path[:] = before
    return 0, out.getvalue(), err.getvalue()


@pytest.mark.parametrize('path', PYTHON, ids=name)
def test_help_says_how_to_call_it(path):
    status, out, _ = answer(path, '--help')
    assert status == 0
    assert out.startswith('usage: ')


@pytest.mark.parametrize('path', COMMANDS, ids=name)
def test_without_arguments_it_says_how_to_call_it(path):
    status, _, err = answer(path)
    assert status == 2
    assert err.startswith('usage: ')
    assert 'error: ' in err.splitlines()[-1]


@pytest.mark.parametrize('path', SHELL, ids=name)
@pytest.mark.parametrize(('arguments', 'status'), [((), 2), (('-h',), 0), (('--help', 'a'), 0)])
def test_scripts_say_how_to_call_them(path, arguments, status):
    result = subprocess.run(
        ['bash', path, *arguments], capture_output=True, text=True, check=False, timeout=10
    )
    assert result.returncode == status
    assert f'Usage: {"" if path.stem == "slurm_job" else "tools/"}{path.name} ' in result.stdout
    assert result.stderr == ''


@pytest.mark.parametrize('number', ['0', 'two', '--seed', ''])
@pytest.mark.parametrize('first', [('dist_train.sh', 'c.py'), ('dist_test.sh', 'c.py', 'w.pth')])
def test_number_of_processes_is_a_number(first, number):
    script, *before = first
    result = subprocess.run(
        ['bash', TOOLS / script, *before, number], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert result.stderr == f"error: NUM_PROC must be a number of processes, got '{number}'\n"


@pytest.mark.parametrize(
    ('command', 'arguments', 'message'),
    [
        ('analysis_tools/eval_metric.py', ['f.npz', '--memory', '-1'], 'a number above 0'),
        ('analysis_tools/eval_metric.py', ['f.npz', '--device', 'gpu'], "cannot compute on 'gpu'"),
        ('analysis_tools/eval_metric.py', ['f.npz', '--json', '/'], 'is a folder; name a file'),
        ('analysis_tools/ranking_report.py', ['f.npz', '--out', 'r', '--top', '0'], '--top'),
        ('analysis_tools/browse_dataset.py', ['c.py', '--num', '0'], '--num'),
        ('analysis_tools/calibrate_threshold.py', ['f.npz', '--fpr', '2'], 'from 0 to 1'),
        ('analysis_tools/calibrate_threshold.py', ['f.npz', '--plot', 'a.txt'], 'must end in'),
        ('dataset_converters/make_walkers.py', ['--out', __file__], 'is a file; name a folder'),
        ('dataset_converters/pack_skeletons.py', ['f', '--workers', '0'], '--workers'),
        ('misc/verify_dataset.py', ['c.py', '--json', f'{__file__}/x'], 'cannot be written'),
        ('misc/kill_and_resume.py', ['--out', 'kills'], 'name the config to train'),
        ('model_converters/publish_model.py', ['c.py', 'a.pth', '/'], 'is a folder; name a file'),
        ('train.py', ['c.py', '--seed', '-1'], '--seed'),
        ('train.py', ['c.py', '--work-dir', __file__], 'is a file; name a folder'),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(command, arguments, message):
    status, _, err = answer(TOOLS / command, *arguments)
    assert status == 2
    assert message in err.splitlines()[-1]


class CaughtError(Exception):
    """Carries the parser of a command out of it."""


@pytest.fixture(scope='module')
def parsers():
    """The parser of each command."""

    def catch(self, *args, **kwargs):
        raise CaughtError(self)

    found = {}
    parse_args = argparse.ArgumentParser.parse_args
    argparse.ArgumentParser.parse_args = catch
    try:
        for path in COMMANDS:
            with pytest.raises(CaughtError) as caught:
                answer(path, 'argument')
            found[path] = caught.value.args[0]
    finally:
        argparse.ArgumentParser.parse_args = parse_args
    return found


_VALUES = ['0', '-1', '1', '3.5', 'nan', 'inf', '1e400', '9' * 40, '', ' ', 'a', '/', '.', '--']
_VALUES += ['/dev/null/x', __file__, 'a=b', 'a.b=[1,(', '=', '0/2', '1:2', 'ä', 'a\0b', 'meta']


@pytest.mark.parametrize('path', COMMANDS, ids=name)
def test_any_arguments_are_taken_or_refused_in_one_sentence(path, parsers):
    parser = parsers[path]
    options = [text for action in parser._actions for text in action.option_strings]
    words = st.one_of(st.sampled_from(options), st.sampled_from(_VALUES), st.text(max_size=6))

    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(st.lists(words, max_size=8))
    def check(arguments):
        err, status = io.StringIO(), 0
        try:
            with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
                parser.parse_args(arguments)
        except SystemExit as end:
            status = end.code
        assert status in (0, 2)
        assert status == 0 or ': error: ' in err.getvalue()

    check()
