import json
from pathlib import Path

import pytest
from mmengine.config import Config

from csipreid.deployment.frame_settings import FrameSettings, read_settings

CONFIG = Path(__file__).parents[2] / 'configs' / 'csip' / 'stage2_walkers.py'


def test_a_config_and_its_settings_prepare_frames_alike():
    cfg = Config.fromfile(CONFIG)
    settings = FrameSettings.from_config(cfg)
    assert (settings.input_size, settings.clip_len, settings.sampling) == ((64, 32), 4, 'first')
    own = [dict(step) for step in cfg.test_pipeline]
    own[0]['num_clips'] = 1
    assert settings.pipeline() == own


def test_settings_survive_a_file(tmp_path):
    settings = FrameSettings((64, 32), (1, 2, 3), (4, 5, 6.5), color='bgr')
    path = tmp_path / 'settings.json'
    path.write_text(json.dumps(settings.values()))
    assert FrameSettings.from_values(read_settings(path), 'file') == settings


@pytest.mark.parametrize('text', ['[1]', '{', '[' * 9999, '3'])
def test_a_file_of_something_else_is_named(tmp_path, text):
    path = tmp_path / 'settings.json'
    path.write_text(text)
    with pytest.raises(ValueError, match=r'settings\.json'):
        read_settings(path)
