import numpy as np
import pytest
import torch

from csipreid.registry import TRANSFORMS


def pack(inds=(0, 1, 2), skeletons=True, **kwargs):
    inds = np.array(inds)
    frames = np.random.default_rng(0).integers(256, size=(inds.size, 6, 4, 3), dtype=np.uint8)
    results = dict(
        frames=frames,
        frame_inds=inds,
        num_clips=len(inds) if inds.ndim == 2 else 1,
        frame_paths=['a', 'b', 'c', 'd'],
        pid=7,
        camid=1,
        label=3,
        subset='train',
        rng=np.random.default_rng(0),
    )
    if skeletons:
        results['skeletons'] = np.arange(inds.size * 51, dtype=np.float32).reshape(-1, 17, 3)
        results['skeleton_valid'] = np.arange(inds.size) != 1
    results |= kwargs
    return results, TRANSFORMS.build(dict(type='PackReIDInputs'))(results)


def test_frames_become_channels_first():
    results, packed = pack()
    frames = packed['inputs']['frames']
    assert frames.dtype == torch.uint8
    assert np.array_equal(frames.numpy(), results['frames'].transpose(0, 3, 1, 2))


def test_frames_are_not_copied():
    results, packed = pack()
    assert packed['inputs']['frames'].data_ptr() == results['frames'].ctypes.data


def test_a_mirrored_view_can_be_packed():
    results, _ = pack()
    mirrored = results['frames'][:, :, ::-1]
    _, packed = pack(frames=mirrored)
    assert np.array_equal(packed['inputs']['frames'].numpy(), mirrored.transpose(0, 3, 1, 2))


def test_skeletons_and_their_mask_are_packed():
    results, packed = pack()
    assert np.array_equal(packed['inputs']['skeletons'].numpy(), results['skeletons'])
    assert packed['data_samples'].skeleton_valid.tolist() == [True, False, True]


def test_without_skeletons_there_is_no_trace_of_them():
    _, packed = pack(skeletons=False)
    assert list(packed['inputs']) == ['frames']
    assert 'skeleton_valid' not in packed['data_samples']


def test_several_clips_get_an_axis_of_their_own():
    results, packed = pack(inds=[[0, 1], [2, 3], [2, 2]])
    assert packed['inputs']['frames'].shape == (3, 2, 3, 6, 4)
    assert packed['inputs']['skeletons'].shape == (3, 2, 17, 3)
    assert packed['data_samples'].skeleton_valid.shape == (3, 2)
    third = packed['inputs']['frames'][1, 0].numpy()
    assert np.array_equal(third, results['frames'][2].transpose(2, 0, 1))


def test_the_sample_tells_who_and_where():
    _, packed = pack()
    sample = packed['data_samples'].to_dict()
    sample.pop('skeleton_valid')
    assert sample == dict(
        pid=7,
        camid=1,
        label=3,
        subset='train',
        frame_paths=['a', 'b', 'c', 'd'],
        num_clips=1,
    )


def test_frames_of_different_sizes_cannot_be_packed():
    with pytest.raises(ValueError, match='PackReIDInputs needs frames of one size'):
        pack(frames=[np.zeros((4, 2, 3), np.uint8)])
