"""What the command line says stays said."""

import argparse
from pathlib import Path

import pytest
import torch

from csipreid.engine.cli import add_common_arguments, load_config

CONFIG = str(Path(__file__).parents[2] / 'configs' / 'csip' / 'stage2_walkers.py')


def load(*arguments):
    parser = argparse.ArgumentParser(prog='tool')
    parser.add_argument('config')
    add_common_arguments(parser)
    return load_config(parser.parse_args([CONFIG, *arguments]))


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('randomness.deterministic', True),
        ('randomness.diff_rank_seed', True),
        ('train_dataloader.persistent_workers', False),
        ('val_dataloader.pin_memory', True),
        ('test_dataloader.pin_memory', False),
        ('launcher', 'slurm'),
        ('work_dir', 'somewhere'),
        ('load_from', 'weights.pth'),
        ('resume', True),
        ('train_dataloader.dataset.data_root', 'elsewhere'),
    ],
)
def test_no_default_overwrites_a_setting(key, value):
    node = load('--data-root', 'data/x', '--cfg-options', f'{key}={value}')
    for name in key.split('.'):
        node = node[name]
    assert node == value


def test_workers_stay_and_memory_is_pinned_where_that_can_be():
    cfg = load('--cfg-options', 'val_dataloader.num_workers=0')
    assert cfg.train_dataloader.persistent_workers is True
    assert cfg.val_dataloader.persistent_workers is False
    assert cfg.train_dataloader.pin_memory is torch.cuda.is_available()


def test_options_of_the_tool_come_before_the_config():
    cfg = load('--no-pin-memory', '--no-persistent-workers', '--launcher', 'mpi')
    assert cfg.train_dataloader.pin_memory is cfg.train_dataloader.persistent_workers is False
    assert cfg.launcher == 'mpi'


def test_persistent_workers_without_workers_are_left_to_torch_to_refuse():
    options = ['test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=True']
    loader = load('--cfg-options', *options).test_dataloader
    assert loader.persistent_workers is True
    with pytest.raises(ValueError, match='persistent_workers option needs num_workers > 0'):
        torch.utils.data.DataLoader([1], num_workers=0, persistent_workers=True)


@pytest.mark.parametrize(
    ('pairs', 'named'),
    [
        (['model.max_clips'], "'model.max_clips'"),
        (['model.max_clips', '=', '3'], "'model.max_clips'"),
        (['model.max_clips=3', '= 3'], "'= 3'"),
        (['model.max_clips =3'], "'model.max_clips =3'"),
        (['=3'], "'=3'"),
        (['model..max_clips=3'], "'model..max_clips=3'"),
        (['model.max_clips=[3,(4]'], "cannot read the value of 'model.max_clips=[3,(4]'"),
    ],
)
def test_setting_that_is_no_pair_is_one_sentence(pairs, named, capsys):
    with pytest.raises(SystemExit) as end:
        load('--cfg-options', *pairs)
    assert end.value.code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith('tool: error: --cfg-options')
    assert named in last


def test_settings_may_be_given_in_several_options():
    cfg = load('--cfg-options', 'model.max_clips=3', '--cfg-options', 'train_cfg.max_epochs=2')
    assert (cfg.model.max_clips, cfg.train_cfg.max_epochs) == (3, 2)
