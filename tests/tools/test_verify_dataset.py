import importlib.util
import json
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REAL_LISTS = ROOT.parent / 'shared/data/mars_info/mars_info.tar.xz'
spec = importlib.util.spec_from_file_location(
    'verify_dataset', ROOT / 'tools/misc/verify_dataset.py'
)
verify_dataset = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verify_dataset)
MARS = str(ROOT / 'configs/csip/stage2_mars.py')


def run(*arguments):
    with pytest.raises(SystemExit) as end:
        verify_dataset.main([str(argument) for argument in arguments])
    return end.value.code


def test_a_data_set_that_is_not_there_is_code_1_and_named(tmp_path, capsys):
    assert run(MARS, '--data-root', tmp_path, '--json', tmp_path / 'out/report.json') == 1
    report = json.loads((tmp_path / 'out/report.json').read_text())
    assert [finding['kind'] for finding in report['findings']] == ['list-missing'] * 3
    assert report['fit'] is False
    assert 'train_name.txt not found; see README' in capsys.readouterr().out


def test_a_config_that_is_not_there_is_named():
    assert 'config none.py not found' in run('none.py')


@pytest.mark.parametrize(
    ('text', 'message'),
    [('model = ', 'cannot be read: SyntaxError'), ('model = dict()', 'no config of a data set')],
)
def test_a_broken_config_is_named(tmp_path, text, message):
    (tmp_path / 'config.py').write_text(text)
    assert message in run(tmp_path / 'config.py')


@pytest.mark.slow
@pytest.mark.skipif(not REAL_LISTS.exists(), reason='the lists of MARS are not here')
def test_the_real_lists_of_mars(tmp_path):
    with tarfile.open(REAL_LISTS) as archive:
        archive.extractall(tmp_path, filter='data')
    out = tmp_path / 'report.json'
    assert run(MARS, '--data-root', tmp_path, '--lists-only', '--json', out) == 0
    report = json.loads(out.read_text())
    train, query, gallery = (report['subsets'][name] for name in ('train', 'query', 'gallery'))
    assert (train['tracklets'], train['identities'], train['frames']) == (8298, 625, 509914)
    assert query['tracklets'] == 1980
    assert (gallery['tracklets'], gallery['junk'], gallery['distractors']) == (9330, 870, 3248)
    assert min(query['shortest'], gallery['shortest']) == 2
    assert max(query['longest'], gallery['longest']) == 920
    matching = report['matching']
    assert matching['queries_absent_from_gallery'] == 28
    assert matching['identities_absent_from_gallery'] == 14
    assert matching['valid_queries_by_gallery_alone'] == 1840
    assert matching['valid_queries'] == 1980
