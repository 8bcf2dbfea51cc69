import numpy as np
import torch
from torch.utils.data import DataLoader

from csipreid.registry import FUNCTIONS
from csipreid.structures import ReIDDataSample

collate_clips = FUNCTIONS.get('collate_clips')


def item(value, clip_len=2):
    frames = torch.arange(clip_len * 4 * 5 * 3, dtype=torch.uint8) + value
    return dict(
        inputs=dict(
            frames=frames.view(clip_len, 4, 5, 3).movedim(-1, -3),
            skeletons=torch.full((clip_len, 17, 3), float(value)),
        ),
        data_samples=ReIDDataSample(pid=value, skeleton_valid=np.array([True, False])),
    )


def test_items_become_rows_in_their_order():
    batch = collate_clips([item(3), item(5)])
    frames, skeletons = batch['inputs']['frames'], batch['inputs']['skeletons']
    assert frames.shape == (2, 2, 3, 4, 5)
    assert torch.equal(frames[1], item(5)['inputs']['frames'])
    assert frames.movedim(-3, -1).is_contiguous()  # as the items lie in memory
    assert skeletons[:, 0, 0, 0].tolist() == [3, 5]
    assert [sample.pid for sample in batch['data_samples']] == [3, 5]


def test_clips_of_other_shapes_stay_apart():
    batch = collate_clips([item(3), item(5, clip_len=3)])
    assert [len(part) for part in batch['inputs']['frames']] == [2, 3]
    assert [len(part) for part in batch['inputs']['skeletons']] == [2, 3]


def test_workers_hand_over_the_same():
    items = [item(value) for value in range(4)]
    alone, workers = (
        list(DataLoader(items, batch_size=2, num_workers=count, collate_fn=collate_clips))
        for count in (0, 1)
    )
    for a, b in zip(alone, workers, strict=True):
        assert torch.equal(a['inputs']['frames'], b['inputs']['frames'])
        assert b['data_samples'][1].skeleton_valid.tolist() == [True, False]
