"""Every command of the README can be typed as it stands."""

import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / 'README.md').read_text(encoding='utf-8')


def commands():
    """The commands of the README's shell blocks, one line each."""
    lines = []
    for block in re.findall(r'```bash\n(.*?)```', README, re.DOTALL):
        for line in block.replace('\\\n', ' ').splitlines():
            words = shlex.split(line, comments=True)
            if words:
                lines.append(words)
    return lines


def split_chain(words):
    """Split ``a && b``."""
    parts = [[]]
    for word in words:
        if word == '&&':
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


COMMANDS = [part for words in commands() for part in split_chain(words)]


@pytest.mark.parametrize('words', COMMANDS, ids=' '.join)
def test_command_names_files_and_options_that_exist(words, monkeypatch):
    program = words[0]
    assert program in ('python', 'bash', 'pip', 'pytest')
    named = [word for word in words if word.startswith(('configs/', 'tools/', 'demo/', 'tests/'))]
    assert [name for name in named if not (ROOT / name).exists()] == []
    if program != 'python':
        return

    class Parsed(Exception):  # noqa: N818
        pass

    def stop(self, args=None, namespace=None):
        namespace, unknown = self.parse_known_args(args, namespace)
        assert unknown == []
        raise Parsed

    monkeypatch.setattr('argparse.ArgumentParser.parse_args', stop)
    monkeypatch.setattr(sys, 'argv', words[1:])
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str((ROOT / words[1]).parent))  # as Python does for a script
    with pytest.raises(Parsed):
        runpy.run_path(str(ROOT / words[1]), run_name='__main__')


@pytest.mark.parametrize('link', re.findall(r'\]\((?!http)([^)#]+)', README))
def test_link_leads_to_a_file(link):
    assert (ROOT / link).exists()


def test_python_block_runs_on_names_that_exist():
    for block in re.findall(r'```python\n(.*?)```', README, re.DOTALL):
        compile(block, 'README.md', 'exec')
        for module, name in re.findall(r'from (csipreid[\w.]*) import (\w+)', block):
            assert hasattr(__import__(module, fromlist=[name]), name)


def test_folders_of_the_map_exist():
    for folder in re.findall(r'^\| `(csipreid/\w+/|configs/)`', README, re.MULTILINE):
        assert (ROOT / folder).is_dir()
