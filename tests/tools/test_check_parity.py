import importlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / 'tests' / 'data' / 'golden_a'


@pytest.fixture(scope='module')
def parts():
    """Import parts of the tool as the script does."""
    sys.path.insert(0, str(ROOT / 'tools' / 'analysis_tools'))
    yield importlib.import_module
    sys.path.pop(0)


@pytest.fixture
def tool(parts):
    return parts('check_parity')


@pytest.fixture
def csip(parts):
    return parts('parity_csip')


@pytest.fixture
def golden(tmp_path):
    return Path(shutil.copytree(GOLDEN, tmp_path / 'golden'))


def change_meta(folder, change):
    meta = json.loads((folder / 'meta.json').read_text())
    change(meta)
    (folder / 'meta.json').write_text(json.dumps(meta))


def change_io(folder, change):
    with np.load(folder / 'io.npz') as archive:
        arrays = dict(archive)
    change(arrays)
    np.savez(folder / 'io.npz', **arrays)


@pytest.mark.slow
def test_golden_case_agrees_in_every_number(tool, tmp_path, capsys):
    report = tmp_path / 'new' / 'parity.json'
    with pytest.raises(SystemExit) as stop:
        tool.main([str(GOLDEN), '--json', str(report)])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert 'stage 2 gradient norms (288)' in printed
    assert 'FAIL' not in printed
    content = json.loads(report.read_text())
    assert content['passed'] is True
    rows = content['folders'][str(GOLDEN)]
    groups = [row['group'] for row in rows]
    assert groups.count('stage 1 gradient norms') == 31
    assert groups.count('stage 2 gradient norms') == 288
    assert sum('step' in row['quantity'] and row['group'] is None for row in rows) == 24


@pytest.mark.slow
def test_every_changed_number_fails_and_no_other(tool, golden, capsys):
    def meta(meta):
        meta['stage2_grad_norms']['classifier.weight'] *= 1.002
        meta['stage1_losses'][2] *= 0.9998
        meta['stage2_losses'][7] *= 1.0002
        meta['stage1_lrs'][4] *= 1 + 1e-8
        meta['stage2_lr_scale']['VTU.memory_proj.1.bias'] = 10.0
        del meta['stage2_grad_norms']['cv_embed']

    def io(arrays):
        arrays['scores1'].flat[3] += 1e-4 * np.abs(arrays['scores1']).max()
        arrays['feat0'][0, 0] = np.nan
        arrays['total_loss'] = arrays['total_loss'] * 1.00002
        del arrays['eval_feat']

    change_meta(golden, meta)
    change_io(golden, io)
    with pytest.raises(SystemExit) as stop:
        tool.main([str(golden), '--json', str(golden / 'parity.json')])
    assert stop.value.code == 1
    assert '10 numbers differ or are missing' in capsys.readouterr().out
    rows = json.loads((golden / 'parity.json').read_text())['folders'][str(golden)]
    assert {row['quantity']: row['note'] for row in rows if not row['passed']} == {
        'stage 2 scores 1': '',
        'stage 2 feature 0': '',
        'stage 2 total loss': '',
        'classifier.weight': '',
        'cv_embed': 'not recorded',
        'test feature': 'eval_feat is missing',
        'stage 1 step 5 rate': '',
        'stage 1 step 3 loss': '',
        'VTU.memory_proj.1.bias': '',
        'stage 2 step 8 loss': '',
    }


@pytest.mark.parametrize(
    ('key', 'rows', 'failing'),
    [
        ('image_encoder.conv1.weight', 'eval_rows', 'test feature'),
        ('TMM.ln_1.weight', 'eval_rows', 'test feature'),
        (
            'skeleton_encoder.skeleton_graph_transformer.pos_fc.bias',
            'stage1_rows',
            'stage 1 skeleton feature',
        ),
        ('PF.fc.0.weight', 'stage2_rows', 'stage 2 prototype logits'),
        ('bottleneck_proj_temp.weight', 'stage2_rows', 'stage 2 frame loss'),
    ],
)
def test_changed_weight_fails(parts, csip, golden, key, rows, failing):
    path = golden / 'official_state_dict.pth'
    state = torch.load(path, weights_only=True)
    state[key].view(-1)[0] += 0.1
    torch.save(state, path)
    case = parts('parity_rows').read_case(golden)
    checked = getattr(csip, rows)(case)
    assert failing in [row.quantity for row in checked if not row.passed]


def test_without_large_rates_new_modules_train_as_the_others(csip):
    meta = json.loads((GOLDEN / 'meta.json').read_text())
    assert csip.sized_config(2, meta).optim_wrapper.paramwise_cfg.lr_mults
    meta['large_fc_lr'] = False
    assert csip.sized_config(2, meta).optim_wrapper.paramwise_cfg.lr_mults == {}


@pytest.mark.parametrize('name', ['meta.json', 'io.npz', 'official_state_dict.pth'])
@pytest.mark.parametrize('harm', ['missing', 'truncated'])
def test_broken_directory_fails(tool, golden, capsys, name, harm):
    path = golden / name
    content = path.read_bytes()
    path.unlink()
    if harm == 'truncated':
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(SystemExit) as stop:
        tool.main([str(golden)])
    assert stop.value.code == 1
    assert 'FAIL' in capsys.readouterr().out


def test_contradicting_sizes_fail(tool, golden):
    change_meta(golden, lambda meta: meta.update(batch=6))
    (row,) = tool.check(golden)
    assert not row.passed
    assert 'the sizes in meta.json' in row.note


METHODS = ('tfclip', 'clipreid')


@pytest.fixture(params=METHODS)
def baseline(request, tmp_path):
    source = GOLDEN.with_name(f'golden_{request.param}_a')
    return request.param, Path(shutil.copytree(source, tmp_path / 'golden'))


@pytest.mark.slow
def test_baseline_agrees_in_every_number(tool, baseline, capsys):
    with pytest.raises(SystemExit) as stop:
        tool.main([str(baseline[1])])
    printed = capsys.readouterr().out
    assert stop.value.code == 0
    assert 'all numbers agree' in printed
    assert 'FAIL' not in printed


CHANGES = dict(
    tfclip=dict(
        grad_norms='TMD.resblocks.0.message_fc.weight',
        lr_scale='SSP.memory_proj.1.weight',
        update_norms_fast='cv_embed',
        train_losses=4,
        train_losses_fast=4,
        losses='frame_ce',
    ),
    clipreid=dict(
        stage1_grad_norms='prompt_learner.cls_ctx',
        stage1_unused_grad_norms='text_encoder.ln_final.bias',
        still_grad_norms='classifier.weight',
        stage2_update_norms='bottleneck.weight',
        stage1_train_losses=7,
        stage2_train_losses_fast=11,
        stage2_losses='I2T_LOSS',
    ),
)
ARRAYS = dict(
    tfclip=('prototypes_windows', 'eval_dense_feat', 'ssp_update', 'tmd_tokens_clip0'),
    clipreid=('text_features', 'stage1_cls_ctx_after', 'feat0', 'still_eval_feat_after'),
)


@pytest.mark.slow
def test_every_changed_number_of_a_baseline_fails(tool, baseline):
    method, folder = baseline

    def meta(meta):
        for key, place in CHANGES[method].items():
            meta[key][place] *= 1.02

    def io(arrays):
        for name in ARRAYS[method]:
            arrays[name].flat[3] += 1e-2 * np.abs(arrays[name]).max()

    change_meta(folder, meta)
    change_io(folder, io)
    failed = [row for row in tool.check(folder) if not row.passed]
    told = ' '.join(f'{row.quantity} {row.group}' for row in failed)
    places = [place for place in CHANGES[method].values() if isinstance(place, str)]
    for name in (*ARRAYS[method], *places):
        name = dict(
            frame_ce='frame loss before T', I2T_LOSS='prototype loss',
            eval_dense_feat='whole tracklets', stage1_cls_ctx_after='words after stage 1',
        ).get(name, name)  # fmt: skip
        assert name in told
    # A changed input of the steps, such as the texts, changes the losses of others as well.
    for key, place in CHANGES[method].items():
        if isinstance(place, int):
            rows = [row for row in failed if f'step {place + 1} loss' in row.quantity]
            assert any(('_fast' in row.quantity) == key.endswith('fast') for row in rows)
