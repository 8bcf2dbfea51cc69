"""Several processes train and test like one: both stages, DDP and sharded, on a few walkers."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from csipreid.registry import MODELS
from csipreid.synthetic import write_walkers

ROOT = Path(__file__).parents[2]
ENV = dict(
    os.environ,
    PYTHON=sys.executable,
    PYTHONPATH=str(ROOT),
    OMP_NUM_THREADS='1',
    CUDA_VISIBLE_DEVICES='',
)
STAGES = {n: str(ROOT / 'configs' / 'csip' / f'stage{n}_walkers.py') for n in (1, 2)}
SMALL = [
    'train_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
    'test_dataloader.num_workers=0',
    'model.image_encoder.arch.num_layers=1',
    'randomness.seed=3',
    'default_hooks.logger.interval=1',
    'log_processor.window_size=1',
    'train_cfg.val_interval=1',
    'default_hooks.checkpoint.save_best=None',
]
SHARDED = [
    'model_wrapper_cfg.type=FullyShardedModel',
    "model_wrapper_cfg.groups=['image_encoder.layers','skeleton_encoder.layers']",
]
BATCH = {1: 8, 2: 16}  # of all processes together
COUNTS = (1, 2, 4)
NOISE = re.compile('abort|terminate called|Traceback|destroy_process_group|leaked|core dumped')


def arguments(stage, folder, name, world, *options, epochs=1, resume=False):
    """The command line of one training."""
    size = BATCH[stage] // world
    batch = [f'train_dataloader.batch_size={size}']
    if stage == 2:
        batch.append(f'train_dataloader.sampler.batch_size={size}')
    return [
        STAGES[stage], '--work-dir', str(folder / name), '--data-root', str(folder / 'walkers'),
        '--pretrained', str(folder / 'start.pth'), *(['--resume'] if resume else []),
        '--cfg-options', *SMALL, *batch, f'train_cfg.max_epochs={epochs}', *options,
    ]  # fmt: skip


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


def call(command, cwd=ROOT):
    """Run a command in a session of its own; return what it printed."""
    with subprocess.Popen(
        [*map(str, command)], cwd=cwd, env=dict(ENV, PORT=free_port()), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    ) as process:  # fmt: skip
        output = process.communicate(timeout=900)[0]
    assert process.returncode == 0, output[-4000:]
    return output, process.pid


def start_weights(folder):
    """Write random weights of stage 1, which both stages start from."""
    cfg = Config.fromfile(STAGES[1])
    cfg.model.image_encoder.arch.num_layers = 1
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('csipreid'):
        model = MODELS.build(cfg.model)
    torch.save(model.state_dict(), folder / 'start.pth')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Data, in numbers that no number of processes divides, and weights to start from."""
    folder = tmp_path_factory.mktemp('many processes')
    write_walkers(
        folder / 'walkers',
        num_train_ids=5,
        num_test_ids=4,
        num_cams=2,
        tracklets=(2, 3),
        frames=(6, 9),
        seed=1,
    )
    start_weights(folder)
    return folder


@pytest.fixture(scope='module')
def launched(folder):
    """Stage 2, sharded, by the script, from elsewhere; its output and session."""
    script = ['bash', ROOT / 'tools' / 'dist_train.sh', STAGES[2], 2]
    options = arguments(2, folder, 'sharded 2', 2, *SHARDED, epochs=2)[1:]
    return call([*script, *options], cwd=folder)


@pytest.fixture(scope='module')
def runs(folder, launched):
    """All other trainings, one after the other from one import; their common folder."""
    (folder / 'resumed').mkdir()
    shutil.copy(folder / 'sharded 2' / 'epoch_1.pth', folder / 'resumed')
    gather = 'model.loss.gather=True'
    still = 'optim_wrapper.optimizer.lr=0'  # the processes see other batches in stage 2
    all_at_once = [
        'model.freeze_skeletons=False',
        'model.contrastive_loss.type=SupConLoss',
        'model.contrastive_loss.gather=True',
        'optim_wrapper.accumulative_counts=2',
    ]
    runs = [
        *((w, arguments(1, folder, f'stage1_{w}', w, gather)) for w in COUNTS),
        *((w, arguments(2, folder, f'stage2_{w}', w, still)) for w in COUNTS),
        (2, arguments(1, folder, 'sharded1', 2, gather, *SHARDED)),
        (2, arguments(2, folder, 'ddp2', 2, epochs=2)),
        (2, arguments(2, folder, 'resumed', 2, *SHARDED, epochs=2, resume=True)),
        (2, arguments(2, folder, 'options', 2, *all_at_once)),
    ]
    plan = [
        dict(world=world, arguments=args, log=str(folder / f'{index}.log'))
        for index, (world, args) in enumerate(runs)
    ]
    (folder / 'runs.json').write_text(json.dumps(plan))
    try:
        call([sys.executable, ROOT / 'tests' / 'tools' / 'train_ranks.py', folder / 'runs.json'])
    except AssertionError as error:
        logs = sorted(folder.glob('*.log'), key=lambda path: int(path.stem))
        raise AssertionError(f'{error}\n{logs[-1].read_text()[-4000:]}') from error
    return folder


def scalars(run, key):
    """What a run logged under some key, in order."""
    (path,) = run.glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [line[key] for line in lines if key in line]


def metrics(run, prefix):
    """The results of the last validation of a run."""
    (path,) = run.glob('*/vis_data/scalars.json')
    last = [json.loads(line) for line in path.read_text().splitlines() if prefix in line][-1]
    return {key: value for key, value in last.items() if key.startswith(prefix)}


def load(path):
    return torch.load(path, weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize('world', COUNTS[1:])
def test_losses_with_gathered_batches_are_those_of_one_process(runs, world):
    expected = scalars(runs / 'stage1_1', 'loss')
    assert len(expected) >= 3
    # The last batch of the epoch is filled up to a multiple of the processes.
    assert scalars(runs / f'stage1_{world}', 'loss')[:-1] == pytest.approx(expected[:-1], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize('world', COUNTS[1:])
def test_prototypes_are_those_of_one_process(runs, world):
    one, many = (load(runs / f'stage2_{w}' / 'epoch_1.pth')['state_dict'] for w in (1, world))
    names = [name for name in one if name.startswith('prototype_bank.')]
    assert len(names) == 3
    for name in names:
        torch.testing.assert_close(many[name], one[name], rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize('world', COUNTS[1:])
def test_metrics_are_those_of_one_process(runs, world):
    expected = metrics(runs / 'stage2_1', 'reid/')
    assert {'reid/mAP', 'reid/rank-1', 'reid/mINP'} <= set(expected)
    assert metrics(runs / f'stage2_{world}', 'reid/') == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('sharded', 'ddp', 'epoch'), [('sharded1', 'stage1_2', 1), ('sharded 2', 'ddp2', 2)]
)
def test_sharded_training_equals_ddp(runs, sharded, ddp, epoch):
    one, other = (load(runs / name / f'epoch_{epoch}.pth') for name in (sharded, ddp))
    for part in ('state_dict', 'optimizer'):
        torch.testing.assert_close(one[part], other[part], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_sharded_training_resumes_to_the_same_weights(runs):
    whole, resumed = (load(runs / name / 'epoch_2.pth') for name in ('sharded 2', 'resumed'))
    assert all(torch.equal(resumed['state_dict'][k], v) for k, v in whole['state_dict'].items())


@pytest.mark.slow
def test_sharded_checkpoint_is_tested_by_one_process(folder, launched):
    out = folder / 'metrics.json'
    call([
        sys.executable, 'tools/test.py', STAGES[2], folder / 'sharded 2' / 'epoch_2.pth',
        '--data-root', folder / 'walkers', '--work-dir', folder / 'test', '--out', out,
        '--cfg-options', *SMALL,
    ])  # fmt: skip
    got = {k: v for k, v in json.loads(out.read_text()).items() if k.startswith('reid/')}
    assert got == pytest.approx(metrics(folder / 'sharded 2', 'reid/'), rel=1e-6)


@pytest.mark.slow
def test_options_of_training_go_together_in_two_processes(runs):
    losses = scalars(runs / 'options', 'loss_contrastive')
    assert losses
    assert all(0 < loss < 20 for loss in losses)


@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self/stat').exists(), reason='needs /proc')
def test_launched_run_ends_cleanly(launched):
    output, session = launched
    assert NOISE.findall(output) == []
    left = []
    for stat in Path('/proc').glob('[0-9]*/stat'):
        try:
            fields = stat.read_text().rpartition(')')[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(fields[3]) == session and fields[0] != 'Z':
            left.append(stat.parent.name)
    assert left == []
