import json

import pytest

from csipreid.evaluation.json_file import write_json


def test_content_is_written_into_new_folders(tmp_path):
    write_json(tmp_path / 'a' / 'b.json', {'mAP': 1.5})
    assert json.loads((tmp_path / 'a' / 'b.json').read_text()) == {'mAP': 1.5}
    assert len(list((tmp_path / 'a').iterdir())) == 1


def test_nan_is_refused_and_the_old_file_stays(tmp_path):
    write_json(tmp_path / 'b.json', [1])
    with pytest.raises(ValueError, match='not JSON compliant'):
        write_json(tmp_path / 'b.json', [float('nan')])
    assert (tmp_path / 'b.json').read_text() == '[\n  1\n]\n'
