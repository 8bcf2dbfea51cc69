"""Skeletons alone, from files to a tested and searched model, by config."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from csipreid.apis import SkeletonReIDInferencer
from csipreid.diagnosis import examine
from csipreid.evaluation.feature_file import read_features
from csipreid.skeletons.sequences import read_sequences

ROOT = Path(__file__).parents[2]


def load(name):
    """Import a script."""
    spec = importlib.util.spec_from_file_location(Path(name).stem, ROOT / 'tools' / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bodies(rng, people, frames, joints):
    """Bodies that differ by their size, and move a little: (people, frames, joints, 3)."""
    shape = rng.normal(size=(people, 1, joints, 3)) * 0.4
    return (shape + rng.normal(size=(people, frames, joints, 3)) * 0.02).astype(np.float32)


@pytest.fixture(scope='module')
def ucalgary(tmp_path_factory):
    """Recordings in the form of the source: 4 people, 6 runs of 12 frames; two are copies."""
    root = tmp_path_factory.mktemp('ucalgary')
    rng = np.random.default_rng(0)
    runs = [bodies(rng, 4, 12, 18) for _ in range(6)]
    recordings = [runs[run][person] for person in range(4) for run in range(6)]
    recordings[7] = recordings[6]  # person 2: run 2 is run 1
    np.savez(
        root / 'source.npz',
        xyz=np.concatenate(recordings),
        length=np.full(24, 12),
        subject=np.repeat(np.arange(1, 5), 6),
        run=np.tile(np.arange(1, 7), 4),
    )
    return root


def test_ucalgary_is_cut_by_runs_without_copies(ucalgary, tmp_path, capsys):
    tool = load('dataset_converters/ucalgary_to_sequences.py')
    tool.main([str(ucalgary / 'source.npz'), '--out', str(tmp_path)])
    assert 'subject 2 run 2 is subject 2 run 1' in capsys.readouterr().out
    train, probe = (
        read_sequences(str(tmp_path / f'{name}.npz'), 'ucalgary18', 18)
        for name in ('train', 'probe_normal')
    )
    assert train.pid.tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    assert probe.pid.tolist() == [1, 3, 4]
    with np.load(ucalgary / 'source.npz') as source:
        # Run 3 of the first person stands behind two runs; y is turned down, x to the right.
        np.testing.assert_array_equal(train.skeletons[12], source['xyz'][24] * [-1, -1, 1])


def config(name, root, tmp_path, **options):
    """A shipped config, made small."""
    path = tmp_path / f'{name}_small.py'
    lines = [f"_base_ = '{ROOT / 'configs/skeleton' / name}.py'"]
    lines += [f'{key} = {value!r}' for key, value in options.items()]
    path.write_text('\n'.join(lines))
    return str(path)


SMALL = dict(
    train_dataloader=dict(batch_size=4, sampler=dict(batch_size=4, num_instances=2)),
    train_cfg=dict(max_epochs=1, val_interval=1),
    auto_scale_lr=dict(base_batch_size=4),
)


def write_transg(folder, joints, people, frames=6, prefix=''):
    folder.mkdir(parents=True)
    pid = np.repeat(people, 4)
    rng = np.random.default_rng(len(prefix))
    shape = bodies(np.random.default_rng(5), len(people), 1, joints).repeat(4, axis=0)
    skeletons = shape + rng.normal(size=(len(pid), frames, joints, 3)) * 0.02
    for axis, values in zip('xyz', np.moveaxis(skeletons, -1, 0), strict=True):
        np.save(folder / f'{prefix}source_{axis}_SET_6.npy', values)
    np.save(folder / 'frame_id_SET_6.npy', pid)
    (folder / 'ids_SET_6.npy').write_bytes(b'never read')


SETS = dict(
    biwi=(20, 'test_npy_data/Walking', 'test_npy_data/Still'),
    ias=(20, 'test_npy_data/A', 'test_npy_data/B'),
    ks20=(25, 'test_npy_data/probe', 'test_npy_data/gallery'),
    kgbd=(20, 'test_npy_data/probe', 'test_npy_data/gallery'),
)


def run(tool, *arguments):
    load(tool).main(list(map(str, arguments)))


@pytest.mark.slow
@pytest.mark.parametrize('method', ['csip_sgt', 'transg'])
@pytest.mark.parametrize('name', SETS)
def test_each_layout_of_transg_trains_and_tests(name, method, tmp_path, monkeypatch):
    joints, query, gallery = SETS[name]
    root = tmp_path / 'data'
    write_transg(root / 'train_npy_data', joints, [1, 2, 5])
    write_transg(root / query, joints, [1, 2, 5], prefix='t_')
    write_transg(root / gallery, joints, [1, 2, 5], prefix='t_')
    cfg = config(f'{method}_{name}', root, tmp_path, **SMALL)
    monkeypatch.chdir(tmp_path)
    argv = ['train.py', cfg, '--data-root', str(root), '--work-dir', str(tmp_path / 'work')]
    monkeypatch.setattr(sys, 'argv', argv)
    load('train.py').main()
    run(
        'test.py', cfg, tmp_path / 'work/epoch_1.pth', '--data-root', root,
        '--out', tmp_path / 'm.json', '--metric', 'euclidean',
    )  # fmt: skip
    measures = json.loads((tmp_path / 'm.json').read_text())
    assert 0 < measures['reid/mAP'] <= 100


@pytest.mark.slow
def test_a_checkpoint_is_tested_dumped_and_searched(ucalgary, tmp_path, monkeypatch):
    run('dataset_converters/ucalgary_to_sequences.py', ucalgary / 'source.npz', '--out', tmp_path)
    cfg = config('csip_sgt_ucalgary', tmp_path, tmp_path, **SMALL)
    monkeypatch.chdir(tmp_path)
    argv = ['train.py', cfg, '--data-root', str(tmp_path), '--work-dir', str(tmp_path / 'work')]
    monkeypatch.setattr(sys, 'argv', argv)
    load('train.py').main()
    checkpoint = tmp_path / 'work/epoch_1.pth'
    run(
        'test.py', cfg, checkpoint, '--data-root', tmp_path, '--dump', tmp_path / 'f.npz',
        '--out', tmp_path / 'm.json',
    )  # fmt: skip
    features = read_features(tmp_path / 'f.npz')
    # Three recordings in windows of 6, without overlap; twelve with stride 3.
    assert features.tracklets.is_query.sum() == 3 * 2
    assert (~features.tracklets.is_query).sum() == 12 * 3
    assert features.frame_paths[0][0] == 'query/probe_normal.npz#0:0'

    searcher = SkeletonReIDInferencer(cfg, checkpoint, device='cpu')
    probe = read_sequences(str(tmp_path / 'probe_normal.npz'), 'ucalgary18', 18)
    windows = [probe.skeletons[start : start + 6] for start in range(0, 36, 6)]
    expected = features.tracklets.embedding[:6]
    expected = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(searcher(windows), expected, atol=1e-4)
    found = searcher.search(windows[:1], windows, topk=2)
    assert found.indices[0, 0] == 0
    with pytest.raises(ValueError, match=r'sequences\[0\] must be joint positions'):
        searcher([np.zeros((6, 18, 2))])


def test_doctor_finds_recordings_that_stand_there_twice(ucalgary, tmp_path):
    tool = load('dataset_converters/ucalgary_to_sequences.py')
    tool.main([str(ucalgary / 'source.npz'), '--out', str(tmp_path), '--keep-copies'])
    cfg = Config.fromfile(config('csip_sgt_ucalgary', tmp_path, tmp_path, **SMALL))
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.dataset.data_root = str(tmp_path)
    found = {f.kind: f for f in examine(cfg.to_dict()).findings}
    # Run 1 trains and is in the gallery, run 2 is a probe: one pair with each.
    assert found['sequence-twice'].count == 2
    assert 'identity-overlap' not in found
    tool.main([str(ucalgary / 'source.npz'), '--out', str(tmp_path)])
    assert 'sequence-twice' not in {f.kind for f in examine(cfg.to_dict()).findings}


def test_biwi_files_become_sequences(tmp_path):
    tool = load('dataset_converters/biwi_to_sequences.py')
    for part, person in (('Training', '003'), ('Testing/Walking', '003'), ('Testing/Still', '007')):
        folder = tmp_path / 'BIWI' / part / person
        folder.mkdir(parents=True)
        for frame in (2, 10, 9):  # by number, 10 comes last
            state = 0 if frame == 9 else 2
            lines = [f'{j},{j / 10},{frame / 10},1.5,3,4,{state},0' for j in range(20)]
            (folder / f'000-{frame}-skel.txt').write_text('\n'.join([*lines, '0,0,0,0,0,0,0,0']))
    tool.main([str(tmp_path / 'BIWI'), '--out', str(tmp_path), '--clip', '0'])
    table = read_sequences(str(tmp_path / 'walking.npz'), 'kinect20', 20)
    assert table.pid.tolist() == [3]
    np.testing.assert_allclose(table.skeletons[:, 4], [[-0.4, -0.2, 1.5], [-0.4, -1.0, 1.5]])
    (tmp_path / 'BIWI/Testing/Still/007/000-2-skel.txt').write_text('1,2\n')
    with pytest.raises(SystemExit, match='line 1 must hold 8 numbers'):
        tool.main([str(tmp_path / 'BIWI'), '--out', str(tmp_path), '--clip', '0'])


def test_video_skeletons_become_sequences(tmp_path):
    from csipreid.synthetic import write_walkers

    walkers = write_walkers(
        tmp_path / 'walkers', num_train_ids=2, num_test_ids=2, num_cams=2, tracklets=(1, 1),
        frames=(4, 4), num_workers=1,
    )  # fmt: skip
    tool = load('dataset_converters/video_to_sequences.py')
    config = ROOT / 'configs/csip/stage1_walkers.py'
    tool.main([str(config), '--data-root', str(walkers), '--out', str(tmp_path)])
    table = read_sequences(str(tmp_path / 'train.npz'), 'h36m', 17)
    assert len(table) == 4
    assert sorted(set(table.camid.tolist())) == [0, 1]
    assert table.starts[-1] == 16
