import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from csipreid.apis import SkeletonReIDInferencer
from csipreid.checkpoint import write_checkpoint
from csipreid.registry import MODELS

CONFIG = 'configs/skeleton/csip_sgt_ucalgary.py'


@pytest.fixture(scope='module')
def inferencer(tmp_path_factory):
    cfg = Config.fromfile(CONFIG)
    with DefaultScope.overwrite_default_scope('csipreid'):
        model = MODELS.build(cfg.model, default_args=dict(num_ids=5))
    path = tmp_path_factory.mktemp('skeletons') / 'model.pth'
    write_checkpoint(
        dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(num_ids=5, num_cams=1))),
        path,
    )
    return SkeletonReIDInferencer(cfg, path, device='cpu')


@pytest.fixture(scope='module')
def sequences(inferencer):
    joints = inferencer.model.skeleton_encoder.layout.num_joints
    rng = np.random.default_rng(0)
    return [rng.normal(size=(frames, joints, 3)).astype(np.float32) for frames in (9, 6, 12)]


def test_embeddings_have_unit_length_and_do_not_depend_on_the_batch(inferencer, sequences):
    embeddings = inferencer(sequences)
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    assert np.allclose(embeddings, inferencer(sequences, batch_size=1), atol=1e-5)
    assert np.allclose(embeddings[::-1], inferencer(sequences[::-1]), atol=1e-5)


def test_a_sequence_finds_itself_first(inferencer, sequences):
    found = inferencer.search(sequences, sequences, topk=2)
    assert found.indices[:, 0].tolist() == [0, 1, 2]
    again = inferencer.search(sequences, inferencer(sequences), topk=2)
    assert np.array_equal(found.indices, again.indices)


@pytest.mark.parametrize('spoil', [lambda s: s[0], lambda s: s.astype(int), lambda s: s * np.nan])
def test_what_is_no_sequence_is_named(inferencer, sequences, spoil):
    with pytest.raises(ValueError, match=r'sequences\[1\]'):
        inferencer([sequences[0], spoil(sequences[1])])


def test_embeddings_of_another_width_are_refused(inferencer, sequences):
    with pytest.raises(ValueError, match='must hold embeddings of this model'):
        inferencer.search(sequences, np.ones((4, 7), np.float32))


def test_models_of_frames_are_for_the_other_inferencer(tmp_path):
    with pytest.raises(ValueError, match='VideoReIDInferencer embeds frames'):
        SkeletonReIDInferencer('configs/csip/stage2_mars.py', tmp_path / 'none.pth')
