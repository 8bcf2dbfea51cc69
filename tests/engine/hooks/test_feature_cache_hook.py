import contextlib
import shutil
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from csipreid.datasets.tracklet_dataset import TrackletDataset
from csipreid.engine.hooks import feature_cache_hook
from csipreid.feature_cache import FrameStamps
from csipreid.registry import HOOKS, MODELS

SIZE = (16, 8)  # height, width
NUM_FRAMES = 70  # more than a batch of frames


class Folder(TrackletDataset):
    """Tracklets of seven frames under one camera."""

    def load_tracklets(self, subset):
        paths = [f'{self.data_root}/{n:02d}.png' for n in range(NUM_FRAMES)]
        return [
            dict(frame_paths=paths[i : i + 7], skeleton_paths=paths[i : i + 7], pid=i + 1, camid=0)
            for i in range(0, NUM_FRAMES, 7)
        ]


class LoadNoise:
    """Skeletons that depend on the item alone."""

    frame_change = 'none'

    def __call__(self, results):
        rng = np.random.default_rng(results['sample_idx'])
        count = results['frame_inds'].size
        results['skeletons'] = rng.normal(size=(count, 17, 3)).astype(np.float32)
        results['skeleton_valid'] = np.ones(count, bool)
        results['layout'] = 'h36m'
        return results


def loader(root, *steps):
    pipeline = [
        dict(type='SampleClip', clip_len=3),
        dict(type='LoadFrames'),
        LoadNoise(),
        dict(type='ResizeFrames', size=SIZE),
        *steps,
        dict(type='PackReIDInputs'),
    ]
    dataset = Folder(subset='train', data_root=str(root), pipeline=pipeline)
    return DataLoader(dataset, batch_size=10, collate_fn=pseudo_collate)


def build_model(seed=0):
    torch.manual_seed(seed)
    model = MODELS.build(
        dict(
            type='SkeletonImagePretrainer',
            data_preprocessor=dict(type='ReIDDataPreprocessor', mean=[100] * 3, std=[50] * 3),
            image_encoder=dict(
                type='CLIPVisionTransformer',
                arch=dict(
                    embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32, patch_size=4
                ),
                image_size=SIZE,
                embed_dim=8,
            ),
            skeleton_encoder=dict(
                type='SkeletonGraphTransformer',
                embed_dim=12,
                depth=1,
                num_heads=2,
                feedforward_channels=24,
            ),
            loss=dict(type='CrossModalSupConLoss'),
        )
    )
    torch.nn.init.normal_(model.image_encoder.pos_embed, std=0.5)
    return model


class Runs:
    """Training runs beside each other, on the same frames."""

    def __init__(self, folder):
        self.folder = folder
        self.frames = folder / 'frames'
        self.frames.mkdir()
        rng = np.random.default_rng(0)
        for n in range(NUM_FRAMES):
            self.write_frame(n, rng)

    def write_frame(self, n, rng):
        image = rng.integers(256, size=(*SIZE, 3), dtype=np.uint8)
        cv2.imwrite(str(self.frames / f'{n:02d}.png'), image)

    def start(self, *steps, seed=0, rank=0, frames=None, **kwargs):
        """Call the hook as a run does before it trains; count the frames that are embedded."""
        lines = []
        model = build_model(seed)
        run = SimpleNamespace(
            bare_model=model,
            model=model,
            train_dataloader=loader(frames or self.frames, *steps),
            val_loop=None,
            optim_wrapper=SimpleNamespace(optim_context=lambda model: contextlib.nullcontext()),
            work_dir=str(self.folder / 'run'),
            rank=rank,
            will_train=True,
            logger=SimpleNamespace(info=lines.append, warning=lines.append),
        )
        embedded = []
        embed_frames = model.embed_frames
        model.embed_frames = lambda frames: (embedded.append(len(frames)), embed_frames(frames))[1]
        hook = HOOKS.build(dict(type='FeatureCacheHook', **kwargs))
        hook.check(run)
        hook.before_train(run)
        run.lines, run.embedded = lines, sum(embedded)
        return run

    @property
    def caches(self):
        return sorted((self.folder / 'feature_cache').iterdir())


@pytest.fixture
def runs(tmp_path):
    return Runs(tmp_path)


def losses(model, batches):
    model.train()
    torch.manual_seed(0)  # of dropout
    return [
        model(**model.data_preprocessor(batch, True), mode='loss')['loss_contrastive'].item()
        for batch in batches
    ]


def test_losses_are_those_without_a_cache(runs):
    expected = losses(build_model(), list(loader(runs.frames)))
    run = runs.start()
    batches = list(run.train_dataloader)
    assert set(batches[0]['inputs']) == {'frame_features', 'skeletons'}
    assert losses(run.bare_model, batches) == pytest.approx(expected, rel=1e-6)


def test_second_run_embeds_only_a_sample(runs):
    assert runs.start().embedded == NUM_FRAMES
    assert runs.start().embedded == 8
    assert len(runs.caches) == 1


def test_features_in_half_precision_are_close(runs):
    whole, half = runs.start(), runs.start(dtype='float16')
    a, b = (run.train_dataloader.dataset[4]['inputs']['frame_features'] for run in (whole, half))
    assert not torch.equal(a, b)
    assert torch.allclose(a, b, rtol=1e-3, atol=1e-3)
    assert len(runs.caches) == 2


def test_other_weights_have_their_own_cache(runs):
    runs.start()
    assert runs.start(seed=1).embedded == NUM_FRAMES
    assert len(runs.caches) == 2


def test_changed_frame_makes_the_cache_stale(runs):
    before = runs.start().train_dataloader.dataset
    runs.write_frame(9, np.random.default_rng(5))
    run = runs.start()
    assert run.embedded == NUM_FRAMES
    assert any('built anew: a frame file has changed' in line for line in run.lines)
    after = run.train_dataloader.dataset
    changed = [
        not np.array_equal(*(d.pipeline.transforms[1].features.rows[n] for d in (before, after)))
        for n in (8, 9)
    ]
    assert changed == [False, True]


def test_features_of_another_encoder_are_noticed(runs):
    runs.start()
    path = runs.caches[0] / 'features.npy'
    np.save(path, np.load(path)[::-1])
    run = runs.start()
    assert any('the encoder gives other features now' in line for line in run.lines)
    assert run.embedded > NUM_FRAMES


@pytest.fixture
def small_parts(monkeypatch):
    """Make the frames two parts."""
    monkeypatch.setattr(feature_cache_hook, 'PART_LEN', 64)
    monkeypatch.setattr('csipreid.feature_cache.PART_LEN', 64)


def stop_before_joining(runs, monkeypatch):
    """Start a run that ends when all parts are written."""
    with monkeypatch.context() as patch:
        patch.setattr(feature_cache_hook, '_join', lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            runs.start()


def test_interrupted_computation_goes_on(runs, small_parts, monkeypatch):
    stop_before_joining(runs, monkeypatch)
    (runs.caches[0] / 'part_00001.npz').unlink()
    run = runs.start()
    assert run.embedded == NUM_FRAMES - 64
    assert any('1 of 2 parts' in line for line in run.lines)
    assert list(run.train_dataloader)


def test_parts_of_frames_that_were_replaced_are_computed_again(runs, small_parts, monkeypatch):
    stop_before_joining(runs, monkeypatch)
    runs.write_frame(3, np.random.default_rng(6))  # of the first part, of 64 frames
    run = runs.start()
    assert run.embedded == 64
    assert any('1 parts of the frame features' in line for line in run.lines)
    fresh = runs.start(cache_dir=str(runs.folder / 'fresh'))
    a, b = (r.train_dataloader.dataset.pipeline.transforms[1].features.rows for r in (run, fresh))
    assert np.array_equal(a, b)


def test_frames_that_change_while_parts_are_computed_are_not_joined(runs, small_parts, monkeypatch):
    join = feature_cache_hook._join

    def change_and_join(*args):
        runs.write_frame(69, np.random.default_rng(7))
        join(*args)

    with monkeypatch.context() as patch:
        patch.setattr(feature_cache_hook, '_join', change_and_join)
        with pytest.raises(ValueError, match='have changed while their features were computed'):
            runs.start()
    assert runs.start().embedded == NUM_FRAMES - 64


def test_two_folders_with_the_same_names_have_a_cache_each(runs, small_parts, monkeypatch):
    other = runs.folder / 'other'
    shutil.copytree(runs.frames, other)  # the times as well, so only the folder tells
    rng = np.random.default_rng(8)
    for n in range(NUM_FRAMES):
        image = rng.integers(256, size=(*SIZE, 3), dtype=np.uint8)
        cv2.imwrite(str(other / f'{n:02d}.png'), image)
    stop_before_joining(runs, monkeypatch)  # parts of the first lie there
    second = runs.start(frames=other)
    assert second.embedded == NUM_FRAMES
    assert runs.start().embedded == 0  # its own parts
    assert runs.start(frames=other).embedded == 8
    assert len(runs.caches) == 2
    a, b = (runs.start(frames=f).train_dataloader.dataset[0] for f in (runs.frames, other))
    assert not torch.equal(a['inputs']['frame_features'], b['inputs']['frame_features'])


def test_one_folder_by_two_paths_has_one_cache(runs):
    runs.start()
    link = runs.folder / 'link'
    link.symlink_to(runs.frames, target_is_directory=True)
    assert runs.start(frames=link).embedded == 8


def test_two_runs_at_once_leave_one_whole_cache(runs, small_parts, monkeypatch):
    join = feature_cache_hook._join

    def join_behind_another(cache, paths, about):
        monkeypatch.setattr(feature_cache_hook, '_join', join)
        runs.start()  # which joins, and removes the parts
        cache.write_part(0, *_first_part(cache))
        join(cache, paths, about)

    monkeypatch.setattr(feature_cache_hook, '_join', join_behind_another)
    assert list(runs.start().train_dataloader)
    left = sorted(path.name for path in runs.caches[0].iterdir())
    assert left == ['about.json', 'features.npy', 'frames.npz']


def _first_part(cache):
    rows = len(cache.part_range(0))
    stamps = FrameStamps(*(array[:rows] for array in cache.stamps()))
    return cache.features().take(range(rows)), stamps


def test_features_of_unknown_frames_are_computed_again(runs):
    runs.start()
    (runs.caches[0] / 'frames.npz').unlink()
    assert runs.start().embedded == NUM_FRAMES


def test_disk_that_holds_what_is_missing_is_enough(runs, small_parts, monkeypatch):
    stop_before_joining(runs, monkeypatch)
    whole = sum(path.stat().st_size for path in runs.caches[0].glob('part_*'))
    usage = SimpleNamespace(free=whole)
    monkeypatch.setattr(feature_cache_hook.shutil, 'disk_usage', lambda folder: usage)
    assert runs.start().embedded == 0


def test_processes_share_the_parts_and_the_first_joins_them(runs, monkeypatch, request):
    expected = runs.start().train_dataloader.dataset[3]['inputs']['frame_features']
    shutil.rmtree(runs.folder / 'feature_cache')
    request.getfixturevalue('small_parts')  # from here on
    monkeypatch.setattr(feature_cache_hook, 'get_world_size', lambda: 2)
    # One after the other, so the second has nothing to read before the first has joined.
    with monkeypatch.context() as patch:
        patch.setattr(feature_cache_hook, '_join', lambda *args: None)
        with pytest.raises(ValueError, match='must be a folder that they share'):
            runs.start(rank=1)
    assert [path.name for path in runs.caches[0].iterdir()] == ['part_00001.npz']
    first = runs.start(rank=0)
    assert first.embedded == 64
    assert torch.equal(first.train_dataloader.dataset[3]['inputs']['frame_features'], expected)


@pytest.mark.parametrize('step', ['FlipClip', 'EraseFrames'])
def test_augmented_frames_are_never_stored(runs, step):
    run = runs.start(dict(type=step))
    assert any(f'not stored: {step} may change frames' in line for line in run.lines)
    assert set(run.train_dataloader.dataset[0]['inputs']) == {'frames', 'skeletons'}
    assert not (runs.folder / 'feature_cache').exists()


def test_folder_of_all_caches_can_be_named(runs):
    runs.start(cache_dir=str(runs.folder / 'elsewhere'))
    assert len(list((runs.folder / 'elsewhere').iterdir())) == 1


def test_small_disk_is_noticed_before_anything_is_computed(runs, monkeypatch):
    usage = SimpleNamespace(free=10)
    monkeypatch.setattr(feature_cache_hook.shutil, 'disk_usage', lambda folder: usage)
    with pytest.raises(ValueError, match='set cache_dir of FeatureCacheHook'):
        runs.start()


def test_model_without_frame_features_is_refused():
    run = SimpleNamespace(bare_model=torch.nn.Linear(1, 1), will_train=True)
    with pytest.raises(TypeError, match='Linear has no frozen image encoder'):
        HOOKS.build(dict(type='FeatureCacheHook')).check(run)


@pytest.mark.parametrize('wrong', [dict(dtype='int8'), dict(subsets=('test',))])
def test_impossible_arguments_are_named(wrong):
    with pytest.raises(ValueError, match=r'int8|test'):
        HOOKS.build(dict(type='FeatureCacheHook', **wrong))
