import pytest
from mmengine.config import Config

from csipreid.engine.config import check_top_level_keys, set_data_root


def test_misspelt_key_is_named_with_its_neighbour():
    with pytest.raises(ValueError, match=r"'train_dataloder'.*did you mean 'train_dataloader'"):
        check_top_level_keys(Config(dict(train_dataloder={})))


def test_intermediate_variables_are_allowed():
    check_top_level_keys(Config(dict(clip_len=8, image_size=(256, 128), model={})))


def test_every_data_root_is_replaced():
    loader = dict(dataset=dict(data_root='a', pipeline=[dict(data_root='a')]))
    cfg = Config(dict(data_root='a', train_dataloader=loader, hooks=[loader]))
    set_data_root(cfg, 'b')
    assert cfg.pretty_text.count("'b'") == 5
    assert "'a'" not in cfg.pretty_text
