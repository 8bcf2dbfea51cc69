from types import SimpleNamespace

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from torch import nn

from csipreid.engine.run_settings import FormattedConfig, changed_settings, run_settings


def settings(**cfg):
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    return run_settings(Config(cfg), OptimWrapper(optimizer))


def test_settings_are_texts_by_path():
    pipeline = [dict(type='SampleClip', clip_len=4), dict(type='LoadFrames')]
    found = settings(model=dict(depth=3, size=(2, 1)), train_dataloader=dict(pipeline=pipeline))
    assert found['model.depth'] == '3'
    assert found['model.size'] == '(2, 1)'
    assert found['train_dataloader.pipeline.0.clip_len'] == '4'
    assert found['(precision)'] == 'float32'
    assert found['(processes)'] == '1'


def test_what_does_not_change_the_result_is_left_out():
    found = settings(
        work_dir='a', resume=True, load_from='b', launcher='none', log_level='INFO',
        train_dataloader=dict(num_workers=3, pin_memory=True, batch_size=2),
    )  # fmt: skip
    assert {key for key in found if not key.startswith('(')} == {'train_dataloader.batch_size'}


def test_a_value_with_an_address_is_not_compared():
    found = settings(loss=SimpleNamespace, hook=lambda: 0)
    assert 'hook' not in found
    assert 'loss' in found


def test_changes_are_named_and_the_rest_is_counted():
    before = {f'k{n}': f'{n}' for n in range(20)}
    assert changed_settings(before, before) == ''
    assert changed_settings(before, before | dict(k3='7')) == 'k3 3 -> 7'
    assert changed_settings(dict(a='1'), dict(b='2')) == 'a 1 -> absent, b absent -> 2'
    assert changed_settings(before, {}).endswith(' and 4 more')


def test_long_values_and_control_characters_are_shown_safely():
    text = changed_settings(dict(a='\x1b[31m' + 'x' * 500), dict(a='1'))
    assert '\x1b' not in text
    assert len(text) < 100


def test_a_config_is_formatted_once():
    cfg = Config(dict(a=1))
    formatted = FormattedConfig(cfg)
    cfg.a = 2
    assert 'a = 1' in formatted.pretty_text
    assert formatted['a'] == formatted.a == 2
