import json
import subprocess
import sys
from pathlib import Path

import pytest

from csipreid.synthetic import write_walkers

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis_tools' / 'ceilings.py'


@pytest.fixture(scope='module')
def walkers(tmp_path_factory):
    return write_walkers(
        tmp_path_factory.mktemp('data') / 'walkers',
        num_train_ids=1,
        num_test_ids=6,
        num_cams=2,
        tracklets=(2, 2),
        frames=(4, 4),
    )


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(TOOL), *map(str, arguments)], capture_output=True, text=True
    )


def test_ceilings_are_in_order(walkers, tmp_path):
    file = tmp_path / 'ceilings.json'
    result = run(walkers, '--json', file)
    assert result.returncode == 0, result.stderr
    rows = json.loads(file.read_text())
    # Six people in two groups: who knows the group still has to choose among three.
    assert rows['chance']['mAP'] < rows['clothing_oracle']['mAP'] < 90
    assert rows['skeleton_oracle'] == {'mAP': pytest.approx(100), 'rank-1': 100}
    assert 'clothing_oracle' in result.stdout


def test_a_folder_without_walkers_is_one_sentence(tmp_path):
    result = run(tmp_path)
    assert result.returncode == 1
    assert 'walkers.json not found: only walkers say who wears what' in result.stderr
    assert 'Traceback' not in result.stderr
