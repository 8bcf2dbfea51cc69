import numpy as np
import pytest

from csipreid.registry import DATASETS
from csipreid.skeletons.sequences import write_sequences


@pytest.fixture
def root(tmp_path):
    """Recordings of 10, 8 and 3 frames; every coordinate of a frame is its number."""
    sequences = [
        np.broadcast_to(np.arange(n, dtype=np.float32)[:, None, None] + 1, (n, 18, 3))
        for n in (10, 8, 3)
    ]
    write_sequences(tmp_path / 'a.npz', sequences, [4, 0, 4], 'ucalgary18')
    return tmp_path


def build(root, subset, **kwargs):
    settings = dict(
        type='SkeletonSequences',
        data_root=str(root),
        subset=subset,
        layout='ucalgary18',
        files=dict(train='a.npz', query='a.npz', gallery='a.npz'),
    )
    return DATASETS.build(dict(settings, **kwargs))


def test_windows_begin_every_stride_and_keep_their_person(root):
    data = build(root, 'train', window=6, stride=dict(train=2))
    first = [int(data.get_data_info(i)['sequence'][0, 0, 0]) for i in range(len(data))]
    assert first == [1, 3, 5, 1, 3, 1]  # 10 frames, 8 frames, and 3, which are too few to cut
    assert [data.get_data_info(i)['label'] for i in range(len(data))] == [1, 1, 1, 0, 0, 1]
    assert data.metainfo['num_ids'] == 2
    assert [len(data.get_data_info(i)['frame_paths']) for i in (0, 5)] == [6, 3]


def test_query_and_gallery_may_be_one_file_with_strides_of_their_own(root):
    data = build(root, 'test', window=6, stride=dict(gallery=2))
    subsets = [data.get_data_info(i)['subset'] for i in range(len(data))]
    assert subsets == ['query'] * 3 + ['gallery'] * 6


def test_kinect_axes_are_turned_half_about_z(root):
    plain, turned = (build(root, 'train', y_up=up).get_data_info(0)['sequence'] for up in (0, 1))
    np.testing.assert_array_equal(turned, plain * [-1, -1, 1])


def test_pipeline_packs_skeletons_alone(root):
    pipeline = [
        dict(type='SampleClip', clip_len=6, mode='first'),
        dict(type='TakeSkeletons'),
        dict(type='MapSkeletons'),
        dict(type='CenterSkeletons'),
        dict(type='PackReIDInputs'),
    ]
    item = build(root, 'train', window=6, pipeline=pipeline)[0]
    assert set(item['inputs']) == {'skeletons'}
    assert item['inputs']['skeletons'].shape == (6, 17, 3)
    assert item['data_samples'].skeleton_valid.all()


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(files=dict(probe='a.npz')), "got 'probe'"),
        (dict(window=0), 'must be positive'),
        (dict(joint_order=[0, 0]), 'each of 0 to 17 once'),
        (dict(layout='h36m'), "the config says 'h36m'"),
        (dict(files=dict(query='a.npz')), 'must name the train set'),
    ],
)
def test_what_does_not_fit_is_one_sentence(root, change, message):
    with pytest.raises(ValueError, match=message):
        build(root, 'train', **change)
