import importlib.util
import json
from pathlib import Path

import pytest
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location('run_splits', ROOT / 'tools/misc/run_splits.py')
run_splits = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run_splits)

CONFIGS = [str(ROOT / f'configs/csip/stage{stage}_ilidsvid.py') for stage in (1, 2)]


@pytest.fixture
def commands(monkeypatch):
    """Record the commands instead of running them; testing split n gives a mAP of 50 + 10 n."""
    recorded = []

    def run(arguments):
        recorded.append(arguments)
        option = arguments.index('--work-dir') + 1
        folder = Path(arguments[option])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / 'last_checkpoint').write_text(f'{folder}/last.pth')
        if arguments[0] == 'test.py':
            split = int(folder.parent.name.removeprefix('split'))
            out = Path(arguments[arguments.index('--out') + 1])
            out.write_text(json.dumps({'reid/mAP': 50 + 10 * split}))

    monkeypatch.setattr(run_splits, 'run', run)
    return recorded


def test_mean_and_deviation_over_the_splits(commands, tmp_path):
    run_splits.main([*CONFIGS, '--work-dir', str(tmp_path), '--splits', '0', '1', '2'])
    result = json.loads((tmp_path / 'mean.json').read_text())
    assert result == {'reid/mAP': dict(mean=60.0, std=10.0, num_splits=3)}


def test_each_stage_starts_from_the_one_before(commands, tmp_path):
    run_splits.main(
        [*CONFIGS, '--work-dir', str(tmp_path), '--splits', '3', '--pretrained', 'clip.pth']
    )
    first, second, test = commands
    assert first[first.index('--pretrained') + 1] == 'clip.pth'
    assert second[second.index('--pretrained') + 1].endswith('split3/stage1_ilidsvid/last.pth')
    assert test[2].endswith('split3/stage2_ilidsvid/last.pth')


def test_every_data_set_of_a_config_gets_the_split(commands, tmp_path):
    run_splits.main([*CONFIGS, '--work-dir', str(tmp_path), '--splits', '7'])
    for arguments, loaders in zip(commands, (3, 5, 5), strict=True):
        options = arguments[arguments.index('--cfg-options') + 1 :]
        assert len(options) == loaders
        assert all(option.endswith('dataset.split=7') for option in options)


def test_options_reach_all_data_sets_of_the_config():
    cfg = Config.fromfile(CONFIGS[1])
    options = dict(o.split('=') for o in run_splits.split_options(cfg._cfg_dict, 4))
    cfg.merge_from_dict({key: int(value) for key, value in options.items()})
    assert cfg.default_hooks.prototypes.dataloader.dataset.split == 4
    assert cfg.test_dataloader.dataset.split == 4


def test_finished_splits_are_not_run_again(commands, tmp_path):
    arguments = [*CONFIGS, '--work-dir', str(tmp_path), '--splits', '0']
    run_splits.main(arguments)
    count = len(commands)
    run_splits.main(arguments)
    assert len(commands) == count == 3


def test_a_config_without_splits_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r'no data set of .*stage1_mars\.py has splits'):
        run_splits.main([str(ROOT / 'configs/csip/stage1_mars.py'), '--work-dir', str(tmp_path)])
