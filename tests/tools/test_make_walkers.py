import importlib.util
import json
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / 'tools/dataset_converters/make_walkers.py'
SIZES = ['--cams', '2', '--tracklets', '1', '1', '--frames', '4', '4', '--workers', '1']


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('make_walkers', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def settings(folder):
    return json.loads((folder / 'walkers.json').read_text())['settings']


def test_two_numbers_of_identities(tool, tmp_path, capsys):
    tool.main(['--out', str(tmp_path / 'data'), '--ids', '1', '2', '--seed', '3', *SIZES])
    found = settings(tmp_path / 'data')
    assert (found['num_train_ids'], found['num_test_ids'], found['seed']) == (1, 2, 3)
    assert str(tmp_path / 'data') in capsys.readouterr().out


def test_one_number_counts_for_both(tool):
    args = tool.parse_args(['--out', 'data', '--ids', '5'])
    assert (args.ids[0], args.ids[-1]) == (5, 5)


def test_defaults_are_those_of_the_package(tool, tmp_path):
    from csipreid.synthetic.walkers import WalkersSettings

    args = tool.parse_args(['--out', 'data'])
    default = WalkersSettings()
    assert (args.seed, args.cams, args.tracklets, args.frames) == (
        default.seed,
        default.num_cams,
        default.tracklets,
        default.frames,
    )
    assert args.ids == [default.num_train_ids] == [default.num_test_ids]


def test_foreign_folder_ends_with_one_sentence(tool, tmp_path):
    (tmp_path / 'mine').write_text('x')
    with pytest.raises(SystemExit, match=r'make_walkers: .* is not a walkers data set'):
        tool.main(['--out', str(tmp_path), *SIZES])


def test_three_numbers_of_identities_are_refused(tool, capsys):
    with pytest.raises(SystemExit):
        tool.parse_args(['--out', 'data', '--ids', '1', '2', '3'])
    assert '--ids takes one or two numbers, got 3' in capsys.readouterr().err
