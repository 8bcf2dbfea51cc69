import numpy as np
import pytest
import torch

from csipreid.registry import METRICS


def samples(count=4):
    return [
        dict(
            embedding=torch.full((3,), float(index), dtype=torch.float16),
            pid=index // 2,
            camid=index % 2,
            subset='gallery' if index % 2 else 'query',
            frame_paths=[f'{index}/{frame}.jpg' for frame in range(index)],
        )
        for index in range(count)
    ]


def dump(path, chosen, **kwargs):
    metric = METRICS.build(dict(type='DumpFeatures', out_file=str(path), **kwargs))
    metric.dataset_meta = dict(dataset_name='walkers', num_cams=2)
    metric.process({}, chosen)
    return metric.evaluate(len(samples()))


def test_arrays_have_the_stated_types(tmp_path):
    assert dump(tmp_path / 'a.npz', samples()) == {}
    with np.load(tmp_path / 'a.npz') as archive:
        assert {
            key: (archive[key].dtype, archive[key].shape) for key in archive if key[0] != 'f'
        } == {
            'embedding': (np.float32, (4, 3)),
            'pid': (np.int64, (4,)),
            'camid': (np.int64, (4,)),
            'is_query': (np.bool_, (4,)),
            'meta': (archive['meta'].dtype, ()),
        }
        assert archive['is_query'].tolist() == [True, False, True, False]


def test_duplicates_of_the_distributed_sampler_are_dropped(tmp_path):
    dump(tmp_path / 'a.npz', samples() + samples(1))
    with np.load(tmp_path / 'a.npz') as archive:
        assert archive['embedding'][:, 0].tolist() == [0, 1, 2, 3]


def test_nothing_but_the_file_is_left(tmp_path):
    for _ in range(2):
        dump(tmp_path / 'deep' / 'a.npz', samples())
    assert [path.name for path in (tmp_path / 'deep').iterdir()] == ['a.npz']


def test_meta_names_the_data_set(tmp_path):
    dump(tmp_path / 'a.npz', samples(), meta=dict(config='x.py'))
    with np.load(tmp_path / 'a.npz') as archive:
        assert (
            str(archive['meta']) == '{"config": "x.py", "dataset_name": "walkers", "num_cams": 2}'
        )


def test_the_suffix_is_checked_before_the_test_starts():
    with pytest.raises(ValueError, match=r"must end in \.npz, got 'a\.pkl'"):
        METRICS.build(dict(type='DumpFeatures', out_file='a.pkl'))


def test_cameras_are_numbered_as_in_the_names_of_the_frames(tmp_path):
    chosen = samples()
    for sample, camid in zip(chosen, (0, 5, -1, 2), strict=True):  # C1, C6, unknown, C3
        sample['camid'] = camid
    dump(tmp_path / 'a.npz', chosen)
    with np.load(tmp_path / 'a.npz') as archive:
        assert archive['camid'].tolist() == [1, 6, -1, 3]
    assert [sample['camid'] for sample in chosen] == [0, 5, -1, 2]
