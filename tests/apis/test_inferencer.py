from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

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


def test_embedding_does_not_depend_on_the_batch(search, arrays):
    assert search(arrays, batch_size=1) == pytest.approx(search(arrays[::-1])[::-1], abs=1e-5)


def test_folder_equals_the_list_of_its_images(search, folders):
    paths = sorted(folders[0].iterdir())
    assert search([folders[0]]) == pytest.approx(search([paths]), abs=1e-6)


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
    assert 'LoadSkeletons' not in [type(step).__name__ for step in search._steps]


@pytest.mark.parametrize(
    ('tracklets', 'error', 'message'),
    [
        ([], ValueError, 'no tracklet'),
        (['nowhere'], FileNotFoundError, 'folder nowhere not found'),
        ([[]], ValueError, 'at least one frame'),
        ([np.zeros((4, 64, 32, 3))], ValueError, 'must be uint8 of shape'),
    ],
)
def test_bad_tracklets_are_named(search, tracklets, error, message):
    with pytest.raises(error, match=message):
        search(tracklets)
