from pathlib import Path

import pytest
from mmengine.config import Config

from csipreid.engine.config import (
    check_top_level_keys,
    merge_options,
    read_config,
    set_data_root,
)

CONFIG = Path(__file__).parents[2] / 'configs' / 'csip' / 'stage1_walkers.py'


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


def test_setting_takes_its_place():
    cfg = read_config(CONFIG)
    merge_options(cfg, {'model.skeleton_encoder.depth': 3, 'val_dataloader.batch_size': 7})
    assert cfg.model.skeleton_encoder.depth == 3
    assert cfg.val_dataloader.batch_size == 7


@pytest.mark.parametrize(
    ('path', 'instead'),
    [
        ('clip_len', ['train_dataloader.dataset.pipeline.0.clip_len']),
        ('batch_size', ['train_dataloader.batch_size', 'val_dataloader.batch_size']),
        ('image_size', ['model.image_encoder.image_size', 'dataset.pipeline.3.size']),
        ('data_root', ['train_dataloader.dataset.data_root']),
        ('embed_dim', ['model.image_encoder.embed_dim', 'arch.embed_dims']),
        ('max_epochs', ['train_cfg.max_epochs', 'param_scheduler.total']),
        ('base_lr', ['optim_wrapper.optimizer.lr']),
        ('train_pipeline.0.mode', ['train_dataloader.dataset.pipeline.0.mode']),
        ('test_pipeline.0.mode', ['test_dataloader.dataset.pipeline.0.mode']),
    ],
)
def test_variable_of_the_file_is_refused_with_the_keys_that_hold_its_value(path, instead):
    with pytest.raises(ValueError, match=f'{path} would change nothing') as error:
        merge_options(read_config(CONFIG), {path: 1})
    for key in instead:
        assert key in str(error.value)


def test_variable_of_a_users_own_file_is_traced_too(tmp_path):
    file = tmp_path / 'mine.py'
    file.write_text('width = 31\nmodel = dict(type="M", part=dict(channels=width), depth=3)\n')
    with pytest.raises(ValueError, match=r'set instead what .* value: model\.part\.channels$'):
        merge_options(read_config(file), {'width': 5})


@pytest.mark.parametrize(
    ('option', 'message'),
    [
        ({'nonsense.key': 1}, "the config has no 'nonsense', and nothing reads it"),
        ({'modle.type': 1}, "did you mean 'model'"),
        ({'model.type.name': 1}, 'model.type.name=1'),
        ({'train_dataloader.dataset.pipeline.9.mode': 1}, 'Index 9 exceeds'),
        ({'default_hooks.featur_cache': None}, "did you mean 'feature_cache'"),
    ],
)
def test_setting_without_a_place_is_refused(option, message):
    with pytest.raises(ValueError, match=message):
        merge_options(read_config(CONFIG), option)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a = 1\nb = c\n', r"line 2 cannot be read: NameError: name 'c' is not defined"),
        ('a = (\n', 'cannot be read: SyntaxError'),
        ("_base_ = 'gone.py'\n", 'cannot be read: FileNotFoundError'),
    ],
)
def test_broken_config_is_one_sentence(tmp_path, text, message):
    file = tmp_path / 'broken.py'
    file.write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_config(file)
    assert '\n' not in str(error.value)


def test_file_that_is_no_config_is_refused(tmp_path):
    (tmp_path / 'list.txt').write_text('a')
    with pytest.raises(ValueError, match=r'list\.txt must end in \.py'):
        read_config(tmp_path / 'list.txt')
    with pytest.raises(FileNotFoundError, match='not found; see the folder configs/'):
        read_config(tmp_path)
