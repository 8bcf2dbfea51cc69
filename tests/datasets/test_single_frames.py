import cv2
import numpy as np
import pytest

from csipreid.datasets.single_frames import FrameTable, LoadFrameFeatures
from csipreid.datasets.tracklet_dataset import TrackletDataset
from csipreid.feature_cache import FrameFeatures

SIZE = (8, 4)  # height, width


class Folder(TrackletDataset):
    """Two tracklets, of three and of two frames."""

    def load_tracklets(self, subset):
        paths = [f'{self.data_root}/{n}.png' for n in range(5)]
        return [
            dict(frame_paths=part, skeleton_paths=part, pid=pid, camid=0)
            for pid, part in ((1, paths[:3]), (2, paths[3:]))
        ]


def pipeline(mode='restricted_random', clip_len=2, extra=()):
    return [
        dict(type='SampleClip', clip_len=clip_len, mode=mode),
        dict(type='LoadFrames'),
        dict(type='ResizeFrames', size=SIZE),
        *extra,
        dict(type='PackReIDInputs'),
    ]


@pytest.fixture
def root(tmp_path):
    """Frame n is of colour RGB (n, 10 n, 20 n), larger than the pipeline wants it."""
    for n in range(5):
        image = np.full((16, 8, 3), (20 * n, 10 * n, n), np.uint8)
        cv2.imwrite(str(tmp_path / f'{n}.png'), image)
    return tmp_path


def build(root, **kwargs):
    return Folder(subset='train', data_root=str(root), pipeline=pipeline(**kwargs))


def test_each_frame_comes_once_as_the_pipeline_prepares_it(root):
    frames = build(root).single_frames()
    assert len(frames) == 5
    item = frames[3]['frame']
    assert item.shape == (3, *SIZE)
    assert item[:, 0, 0].tolist() == [3, 30, 60]
    assert frames.names[3] == '/3.png'
    assert any('ResizeFrames' in step and '8' in step for step in frames.preparation)


def test_frames_that_are_never_chosen_are_left_out(root):
    frames = build(root, mode='first', clip_len=1).single_frames()
    assert frames.names == ['/0.png', '/3.png']
    assert frames.table.rows.tolist() == [0, -1, -1, 1, -1]


def test_frames_of_overlapping_items_come_once():
    table = FrameTable([['a', 'b', 'c'], ['b', 'c', 'd']])
    assert table.paths == ['a', 'b', 'c', 'd']
    assert table.rows.tolist() == [0, 1, 2, 1, 2, 3]
    assert table.starts.tolist() == [0, 3, 6]


@pytest.mark.parametrize('step', [dict(type='EraseFrames'), dict(type='FlipClip')])
def test_augmentation_forbids_stored_features(root, step):
    with pytest.raises(ValueError, match=f'{step["type"]} may change frames'):
        build(root, extra=[step]).single_frames()


def test_unknown_step_forbids_stored_features(root):
    dataset = build(root)
    dataset.pipeline.transforms.insert(1, lambda results: results)
    with pytest.raises(ValueError, match='may change frames'):
        dataset.single_frames()


@pytest.fixture
def features(tmp_path):
    """The feature of row n is (n, 100 + n)."""
    rows = np.arange(5, dtype=np.float32)
    np.save(tmp_path / 'features.npy', np.stack([rows, rows + 100], axis=1))
    return FrameFeatures(tmp_path / 'features.npy')


def test_data_set_serves_features_instead_of_frames(root, features):
    dataset = build(root)
    with_frames = dataset[1]
    dataset.use_frame_features(features, dataset.single_frames().table)
    item = dataset[1]
    assert set(item['inputs']) == {'frame_features'}
    # Which frames a clip takes is drawn as before.
    drawn = with_frames['inputs']['frames'][:, 0, 0, 0].tolist()
    assert item['inputs']['frame_features'].tolist() == [[n, 100 + n] for n in drawn]
    assert item['data_samples'].pid == 2


def test_dense_clips_have_their_own_axis(root, features):
    dataset = build(root, mode='dense')
    dataset.use_frame_features(features, dataset.single_frames().table)
    assert dataset[0]['inputs']['frame_features'][..., 0].tolist() == [[0, 1], [2, 2]]


def test_frame_without_a_feature_is_an_error(features):
    load = LoadFrameFeatures(features, FrameTable([['a', 'b']], lambda n: np.array([0])))
    with pytest.raises(ValueError, match='frame 1 of item 0 has no stored feature'):
        load(dict(sample_idx=0, frame_inds=np.array([0, 1])))
