from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from PIL import Image

from csipreid.apis import VideoReIDInferencer
from csipreid.registry import MODELS
from csipreid.synthetic import write_walkers

CONFIG = Path(__file__).parents[2] / 'configs' / 'csip' / 'stage2_walkers.py'


@pytest.fixture(scope='module')
def search(tmp_path_factory):
    """A model with random weights."""
    cfg = Config.fromfile(CONFIG)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('csipreid'):
        model = MODELS.build(cfg.model, default_args=dict(num_ids=3, num_cams=2))
    path = tmp_path_factory.mktemp('weights') / 'model.pth'
    meta = dict(dataset_meta=dict(dataset_name='walkers', num_ids=3, num_cams=2))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return VideoReIDInferencer(CONFIG, path, device='cpu')


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    """Frames of four persons, a folder each."""
    root = write_walkers(
        tmp_path_factory.mktemp('data') / 'walkers', num_train_ids=4, num_test_ids=2, num_cams=2,
        tracklets=(1, 1), frames=(5, 6),
    )  # fmt: skip
    return sorted((root / 'bbox_train').iterdir())


@pytest.fixture
def arrays():
    return list(np.random.default_rng(0).integers(0, 256, (3, 6, 64, 32, 3), dtype=np.uint8))


def test_embeddings_have_unit_length(search, arrays):
    embeddings = search(arrays)
    assert embeddings.shape == (3, 96 * 3)
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize('trained', [False, True])
def test_a_checkpoint_that_holds_its_config_needs_no_other(search, arrays, tmp_path, trained):
    meta = dict(dataset_meta=dict(dataset_name='walkers', num_ids=3, num_cams=2))
    meta['cfg' if trained else 'config'] = search.cfg.pretty_text
    torch.save(dict(state_dict=search.model.state_dict(), meta=meta), tmp_path / 'own.pth')
    own = VideoReIDInferencer(weights=tmp_path / 'own.pth', device='cpu')
    assert np.array_equal(own(arrays), search(arrays))
    assert own.fingerprint == search.fingerprint


@pytest.mark.parametrize('text', ['import os', "model = dict(type='os.system')", None, 'model = 3'])
def test_a_config_of_a_checkpoint_is_not_run(search, tmp_path, text):
    meta = dict(dataset_meta=dict(num_ids=3, num_cams=2), config=text)
    torch.save(dict(state_dict=search.model.state_dict(), meta=meta), tmp_path / 'own.pth')
    with pytest.raises(ValueError, match='config'):
        VideoReIDInferencer(weights=tmp_path / 'own.pth', device='cpu')


def test_samples_hold_the_embedding_as_the_model_gives_it_and_know_cameras(search, arrays):
    known = search(arrays, return_datasamples=True, camids=[0, 1, -1])
    unknown = search(arrays, return_datasamples=True)
    apart = [
        float((a.embedding - b.embedding).abs().max()) for a, b in zip(known, unknown, strict=True)
    ]
    assert apart[2] == pytest.approx(0, abs=1e-6)
    assert min(apart[:2]) > 1e-4
    unit = unknown[1].embedding / unknown[1].embedding.norm()
    assert unit.numpy() == pytest.approx(search(arrays)[1], abs=1e-6)


def test_threads_may_call_at_a_time(search, arrays):
    alone = [search([array]) for array in arrays]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda k: search([arrays[k % 3]]), range(18)))
    assert all(np.array_equal(got, alone[k % 3]) for k, got in enumerate(found))


def test_pictures_of_neighbours_replace_those_of_an_earlier_call(search, arrays, folders, tmp_path):
    search(arrays, out_dir=tmp_path)
    search.search(folders[:1], folders, topk=2, out_dir=tmp_path)
    (name,) = (path.name for path in tmp_path.iterdir() if path.name[0] != '.')
    assert name == 'tracklet00000.png'


def test_embedding_does_not_depend_on_the_batch(search, arrays):
    assert search(arrays, batch_size=1) == pytest.approx(search(arrays[::-1])[::-1], abs=1e-5)


@pytest.fixture
def unpadded(tmp_path):
    """Twelve frames of rising brightness called 0.png … 11.png, and what a Mac leaves there."""
    for number in range(12):
        frame = np.random.default_rng(number).integers(0, 20 * number + 20, (64, 32, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f'{number}.png'), frame)
        (tmp_path / f'._{number}.png').write_bytes(b'\0\5\x16\7' * 9)
    (tmp_path / 'notes.txt').touch()
    return tmp_path


def test_folder_equals_the_list_of_its_images_in_the_order_of_time(search, unpadded):
    names = [f'{number}.png' for number in range(12)]
    in_time, as_text = (
        search([[unpadded / name for name in order]]) for order in (names, sorted(names))
    )
    assert search([unpadded]) == pytest.approx(in_time, abs=1e-6)
    assert np.abs(as_text - in_time).max() > 1e-4  # or the line above would say nothing


def test_array_equals_the_images_it_came_from(search, folders):
    import mmcv

    frames = np.stack([mmcv.imread(p, channel_order='rgb') for p in sorted(folders[0].iterdir())])
    assert search([frames]) == pytest.approx(search([folders[0]]), abs=1e-6)


def test_query_in_the_gallery_is_found_first(search, folders):
    found = search.search(folders[:2], folders, topk=3)
    assert found.indices.shape == (2, 3)
    assert found.indices[:, 0].tolist() == [0, 1]
    assert found.similarities[:, 0] == pytest.approx(1, abs=1e-5)
    assert (np.diff(found.similarities) <= 0).all()


def test_gallery_may_be_embedded_before(search, folders):
    expected = search.search(folders[:1], folders)
    assert search.search(folders[:1], search(folders)).indices.tolist() == expected.indices.tolist()


def test_no_skeleton_is_needed(search):
    assert 'LoadSkeletons' not in [step['type'] for step in search.cfg.test_pipeline]


@pytest.mark.parametrize(
    ('tracklets', 'error', 'message'),
    [
        ([], ValueError, 'no tracklet'),
        ('abc', TypeError, r"tracklets must be a list of tracklets, got one path 'abc'; write"),
        (None, TypeError, 'must be a list of tracklets, got NoneType'),
        (['nowhere'], FileNotFoundError, 'folder nowhere not found'),
        ([[]], ValueError, 'at least one frame'),
        ([np.zeros((4, 64, 32, 3))], ValueError, 'must be uint8 of shape'),
    ],
)
def test_bad_tracklets_are_named(search, tracklets, error, message):
    with pytest.raises(error, match=message):
        search(tracklets)


def test_crops_of_any_sizes_are_embedded_as_their_images(search, unpadded):
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (50 + 9 * k, 20 + k, 3), np.uint8) for k in range(9)]
    folder = unpadded / 'crops'
    folder.mkdir()
    for number, crop in enumerate(crops):
        Image.fromarray(crop).save(folder / f'{number}.png')
    pictures = [Image.fromarray(crop) for crop in crops]
    assert search([crops]) == pytest.approx(search([folder]), abs=1e-6)
    assert search([pictures]) == pytest.approx(search([folder]), abs=1e-6)


@pytest.mark.parametrize('batch_size', [0, -1, 1.5, True, '8', None])
def test_batch_size_must_be_a_positive_number(search, arrays, batch_size):
    with pytest.raises(ValueError, match='batch_size must be a whole number from 1, got'):
        search(arrays, batch_size=batch_size)


@pytest.mark.parametrize('topk', [0, -3, 2.0, False])
def test_topk_must_be_a_positive_number(search, arrays, topk):
    with pytest.raises(ValueError, match='topk must be a whole number from 1, got'):
        search.search(arrays, arrays, topk=topk)


def test_topk_may_exceed_the_gallery_and_numpy_counts_too(search, arrays):
    assert search.search(arrays[:1], arrays, topk=np.int64(9)).indices.shape == (1, 3)


@pytest.mark.parametrize('scale', [5, 1e-30, 1e30])
@pytest.mark.parametrize('dtype', [np.float32, np.float64])
def test_the_length_of_gallery_embeddings_does_not_matter(search, arrays, scale, dtype):
    expected = search.search(arrays, arrays)
    found = search.search(arrays, scale * search(arrays).astype(dtype))
    assert found.similarities == pytest.approx(expected.similarities, abs=1e-5)


@pytest.mark.parametrize(
    ('gallery', 'message'),
    [
        (np.ones((3, 7), np.float32), r'gallery must hold .* \(G, 288\), got shape \(3, 7\)'),
        (np.ones(288, np.float32), r'gallery must be embeddings, float of shape \(N, D\)'),
        (np.ones((3, 288), int), 'gallery must be embeddings, float .* got int64'),
        (np.ones((0, 288), np.float32), r'gallery must be .* shape \(0, 288\)'),
        (np.zeros((2, 288), np.float32), 'gallery must hold finite .* not zero; row 0'),
        (np.full((2, 288), np.nan, np.float32), 'gallery must hold finite .*; row 0'),
        (np.full((2, 288), np.inf), 'gallery must hold finite'),
    ],
)
def test_a_gallery_that_cannot_be_is_named(search, arrays, gallery, message):
    with pytest.raises(ValueError, match=message):
        search.search(arrays[:1], gallery)


def test_a_gallery_may_be_an_array_of_tracklets(search, arrays):
    found = search.search(arrays[:1], np.stack(arrays))
    assert found.indices.tolist() == search.search(arrays[:1], arrays).indices.tolist()


@pytest.mark.parametrize('name', ['queries', 'gallery'])
def test_one_path_is_not_a_list_of_tracklets(search, arrays, name):
    arguments = dict(queries=arrays[:1], gallery=arrays) | {name: 'somewhere'}
    with pytest.raises(TypeError, match=rf'{name} must be a list of tracklets, got one path'):
        search.search(**arguments)


def test_a_model_that_needs_skeletons_is_refused_before_its_checkpoint_is_read():
    stage1 = CONFIG.with_name('stage1_walkers.py')
    with pytest.raises(
        ValueError, match=r'SkeletonImagePretrainer needs skeletons to test .* stage 2'
    ):
        VideoReIDInferencer(stage1, 'nowhere.pth')


@pytest.mark.parametrize(
    ('config', 'error', 'message'),
    [
        ('nowhere.py', FileNotFoundError, 'config nowhere.py not found'),
        (Config(dict(model=dict(type='VideoReID'))), ValueError, 'the config has no test_pipeline'),
    ],
)
def test_a_config_that_is_none_is_named(config, error, message):
    with pytest.raises(error, match=message):
        VideoReIDInferencer(config, 'nowhere.pth')


def test_embeddings_that_are_not_finite_are_refused(search, arrays, monkeypatch):
    test_step = search.model.test_step

    def broken(batch):
        samples = test_step(batch)
        for sample in samples:
            sample.embedding = sample.embedding * float('nan')
        return samples

    monkeypatch.setattr(search.model, 'test_step', broken)
    with pytest.raises(ValueError, match='the output of the model must hold finite embeddings'):
        search(arrays)
