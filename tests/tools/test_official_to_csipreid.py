import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from csipreid.checkpoint import read_checkpoint, write_checkpoint

ROOT = Path(__file__).parents[2]
OFFICIAL = ROOT / 'tests' / 'data' / 'golden_a' / 'official_state_dict.pth'


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools' / 'model_converters' / 'official_to_csipreid.py'
    spec = importlib.util.spec_from_file_location('official_to_csipreid', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def official():
    return torch.load(OFFICIAL, weights_only=True)


def test_round_trip_is_exact(tool, tmp_path, official, capsys):
    ours, back = tmp_path / 'ours.pth', tmp_path / 'back.pth'
    tool.main([str(OFFICIAL), str(ours)])
    tool.main(['--reverse', str(ours), str(back)])
    found = torch.load(back, weights_only=True)
    assert found.keys() == official.keys()
    assert all(torch.equal(found[key], official[key]) for key in official)
    assert all(found[key].dtype == official[key].dtype for key in official)
    printed = capsys.readouterr().out
    assert 'converted: 304 tensors\nwithout effect, kept apart: 18' in printed
    assert '    VTU.alpha' in printed
    assert 'trained on 10 identities, 3 cameras' in printed


def test_converted_checkpoint_tells_what_it_was_trained_on(tool, tmp_path):
    tool.main([str(OFFICIAL), str(tmp_path / 'a.pth'), '--dataset-name', 'lsvid'])
    content = read_checkpoint(tmp_path / 'a.pth')
    assert content['meta']['dataset_meta'] == dict(dataset_name='lsvid', num_ids=10, num_cams=3)
    assert content['state_dict']['prototype_bank.filled'] == 0


def test_way_back_needs_no_keys_without_effect(tool, tmp_path, official):
    tool.main([str(OFFICIAL), str(tmp_path / 'a.pth')])
    state = read_checkpoint(tmp_path / 'a.pth')['state_dict']
    write_checkpoint(dict(state_dict=state), tmp_path / 'b.pth')
    tool.main(['--reverse', str(tmp_path / 'b.pth'), str(tmp_path / 'back.pth')])
    assert official.keys() - read_checkpoint(tmp_path / 'back.pth')['state_dict'].keys() == set(
        tool.to_csipreid(official, 'mars')['official_unused']
    )


def refused(tool, folder, state, *options):
    """Error of a conversion, which must write nothing."""
    torch.save(state, folder / 'a.pth')
    with pytest.raises(SystemExit) as stop:
        tool.main([str(folder / 'a.pth'), str(folder / 'b.pth'), *options])
    assert [path.name for path in folder.iterdir()] == ['a.pth']
    return str(stop.value)


def test_unknown_key_is_refused(tool, tmp_path, official):
    assert '1 unknown: other' in refused(tool, tmp_path, official | {'other': torch.ones(1)})


def test_missing_key_is_refused(tool, tmp_path, official):
    del official['PF.fc.0.bias']
    assert '1 missing: PF.fc.0.bias' in refused(tool, tmp_path, official)


@pytest.mark.parametrize(
    ('key', 'shape', 'message'),
    [
        ('classifier_proj.weight', (10,), r'classifier must have 2 axes, got \(10,\)'),
        ('TMM.ln_1.bias', (32,), r'temporal.norm1.bias has shape \(32,\),.* be \(64,\)'),
        ('image_encoder.conv1.weight', (64, 3, 16, 8), r'be \(64, 3, 8, 8\)'),
    ],
)
def test_shape_that_does_not_fit_is_refused(tool, tmp_path, official, key, shape, message):
    official[key] = torch.ones(shape)
    assert re.search(message, refused(tool, tmp_path, official))


def test_file_of_the_other_layout_is_refused(tool, tmp_path, official):
    assert 'not a csipreid stage-2 state dict' in refused(tool, tmp_path, official, '--reverse')


class Code:
    def __reduce__(self):
        return (print, ('code ran',))


def test_code_in_a_file_is_not_run(tool, tmp_path, capsys):
    assert 'holds Python objects' in refused(tool, tmp_path, {'cv_embed': Code()})
    assert 'code ran' not in capsys.readouterr().out


def test_truncated_file_is_refused(tool, tmp_path):
    path = tmp_path / 'a.pth'
    path.write_bytes(OFFICIAL.read_bytes()[:5000])
    with pytest.raises(SystemExit, match='truncated or not a checkpoint'):
        tool.main([str(path), str(tmp_path / 'b.pth')])
    assert [file.name for file in tmp_path.iterdir()] == ['a.pth']


@pytest.mark.parametrize('method', ['tfclip', 'clipreid'])
def test_round_trip_of_a_baseline_is_exact(tool, tmp_path, method):
    source = OFFICIAL.parents[1] / f'golden_{method}_a' / OFFICIAL.name
    ours, back = tmp_path / 'ours.pth', tmp_path / 'back.pth'
    tool.main([str(source), str(ours)])
    tool.main(['--reverse', str(ours), str(back)])
    expected, found = (torch.load(path, weights_only=True) for path in (source, back))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_texts_of_clip_reid_are_those_recorded(tool, tmp_path):
    folder = OFFICIAL.parents[1] / 'golden_clipreid_a'
    tool.main([str(folder / OFFICIAL.name), str(tmp_path / 'ours.pth')])
    state = read_checkpoint(tmp_path / 'ours.pth')['state_dict']
    with np.load(folder / 'io.npz') as arrays:
        recorded = torch.from_numpy(arrays['text_features'])
    torch.testing.assert_close(
        state['prototype_bank.text_prototypes'], recorded, atol=1e-5, rtol=1e-5
    )


def test_text_tower_with_a_missing_key_is_refused(tool, tmp_path):
    source = OFFICIAL.parents[1] / 'golden_clipreid_a' / OFFICIAL.name
    state = torch.load(source, weights_only=True)
    del state['text_encoder.ln_final.bias']
    assert '1 keys are missing from it: ln_final.bias' in refused(tool, tmp_path, state)
