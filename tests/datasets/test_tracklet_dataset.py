import numpy as np
import pytest
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from csipreid.registry import DATASETS

PIPELINE = [
    dict(type='SampleClip', clip_len=4),
    dict(type='LoadFrames'),
    dict(type='LoadSkeletons'),
    dict(type='ResizeFrames', size=(16, 8)),
    dict(type='FlipClip'),
    dict(type='EraseFrames'),
    dict(type='CenterSkeletons'),
    dict(type='PackReIDInputs'),
]


class Draw(BaseTransform):
    """Return a random number instead of an item."""

    def transform(self, results):
        return results['rng'].random()


class Recorder(BaseTransform):
    """Keep the tracklets that it is asked to check."""

    def __init__(self):
        self.checked = []

    def check_files(self, tracklets):
        self.checked += tracklets

    def transform(self, results):
        return results


def build(root, subset='train', **kwargs):
    return DATASETS.build(dict(type='MARS', data_root=root, subset=subset, **kwargs))


def epochs(dataset, num_workers, batches=((0, 1), (2, 3), (4, 0))):
    """Load the batches in two epochs with one loader; return all frames and skeletons."""
    loader = DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        collate_fn=pseudo_collate,
    )
    loaded = []
    for epoch in range(2):
        dataset.set_epoch(epoch, seed=3)
        for batch in loader:
            loaded += batch['inputs']['frames'] + batch['inputs']['skeletons']
    return loaded


def test_unknown_subset_is_named(mars_root):
    with pytest.raises(ValueError, match="got 'val'"):
        build(mars_root, 'val')


@pytest.mark.parametrize(('subset', 'num_ids'), [('train', 2), ('query', 2), ('gallery', 2)])
def test_persons_and_cameras_are_counted(mars_root, subset, num_ids):
    assert build(mars_root, subset).metainfo == dict(
        dataset_name='mars', num_ids=num_ids, num_cams=2
    )


def test_person_0_is_a_person_in_training(write_mars_lists):
    dataset = build(write_mars_lists(train=[('0000', 1, 2), ('0001', 1, 2)]))
    assert [item['label'] for item in dataset] == [0, 1]
    assert dataset.metainfo['num_ids'] == 2


def test_labels_are_gap_free_under_indices(mars_root):
    dataset = build(mars_root, indices=2)  # both tracklets show person 7
    assert [(item['pid'], item['label']) for item in dataset] == [(7, 0), (7, 0)]
    assert dataset.metainfo['num_ids'] == 1


def test_a_set_of_junk_alone_is_an_error(write_mars_lists):
    root = write_mars_lists(train=[('00-1', 1, 2)])
    with pytest.raises(ValueError, match=r'the train set of .* holds no tracklet, junk not'):
        build(root)


def test_an_empty_choice_of_indices_is_an_error(mars_root):
    with pytest.raises(ValueError, match='indices must choose at least one'):
        build(mars_root, indices=[])


def test_transforms_check_all_tracklets_once(mars_root):
    recorder = Recorder()
    dataset = build(mars_root, pipeline=[recorder], lazy_init=True)
    dataset.full_init()
    dataset.full_init()
    assert [tracklet['pid'] for tracklet in recorder.checked] == [7, 7, 3, 3, 7]


def test_checks_can_be_switched_off(mars_root):
    recorder = Recorder()
    build(mars_root, pipeline=[recorder], check_files=False)
    assert recorder.checked == []


def test_missing_frames_are_an_error_before_the_run(mars_root):
    with pytest.raises(FileNotFoundError, match='37 of 37 frames not found'):
        build(mars_root, pipeline=PIPELINE)


def test_draws_depend_on_the_index(mars_root):
    dataset = build(mars_root, pipeline=[Draw()])
    assert dataset[0] != dataset[1]


def test_draws_depend_on_the_epoch(mars_root):
    dataset = build(mars_root, pipeline=[Draw()])
    before = dataset[0]
    dataset.set_epoch(1)
    assert dataset[0] != before


def test_draws_depend_on_the_seed(mars_root):
    dataset = build(mars_root, pipeline=[Draw()])
    before = dataset[0]
    dataset.set_epoch(0, seed=1)
    assert dataset[0] != before


def test_draws_are_the_same_for_the_same_seed_and_epoch(mars_root):
    first, second = (build(mars_root, pipeline=[Draw()]) for _ in range(2))
    for dataset in (first, second):
        dataset.set_epoch(2, seed=5)
    assert first[3] == second[3]


def test_a_repeated_index_draws_anew_in_each_place_of_a_batch(mars_root):
    draws = build(mars_root, pipeline=[Draw()]).__getitems__([2, 2, 1, 2])
    assert len(set(draws)) == 4


def test_a_first_occurrence_is_the_item_itself(mars_root):
    dataset = build(mars_root, pipeline=[Draw()])
    assert dataset.__getitems__([1, 2, 2])[:2] == [dataset[1], dataset[2]]


def test_a_repeated_index_gives_different_clips(write_mars):
    dataset = build(write_mars(), pipeline=PIPELINE)
    first, second = (item['inputs']['frames'] for item in dataset.__getitems__([0, 0]))
    assert not torch.equal(first, second)


@pytest.mark.slow
@pytest.mark.parametrize('num_workers', [1, 2])
def test_items_do_not_depend_on_the_number_of_workers(write_mars, num_workers):
    dataset = build(write_mars(), pipeline=PIPELINE)
    expected = epochs(dataset, num_workers=0)
    loaded = epochs(dataset, num_workers=num_workers)
    assert len(loaded) == len(expected) == 24
    assert all(map(torch.equal, loaded, expected))


@pytest.mark.slow
def test_persistent_workers_see_the_next_epoch(write_mars):
    loaded = epochs(build(write_mars(), pipeline=PIPELINE), num_workers=1)
    first, second = loaded[:12], loaded[12:]
    assert not all(map(torch.equal, first, second))


@pytest.mark.parametrize('extension', ['.jpg', '.png'])
def test_small_crops_of_other_data_pass_the_whole_pipeline(write_mars, extension):
    dataset = build(write_mars(extension=extension, size=(128, 48)), pipeline=PIPELINE)
    assert dataset[4]['inputs']['frames'].shape == (4, 3, 16, 8)


def test_the_test_pipeline_reads_no_skeleton(write_mars):
    root = write_mars(skeletons='elsewhere')
    pipeline = [transform for transform in PIPELINE if 'Skeletons' not in transform['type']]
    dataset = build(root, 'test', pipeline=pipeline)
    assert list(dataset[0]['inputs']) == ['frames']


def test_global_random_state_is_neither_read_nor_changed(write_mars):
    dataset = build(write_mars(), pipeline=PIPELINE)
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    first = dataset[0]['inputs']['frames']
    assert np.array_equal(np.random.get_state()[1], state)
    np.random.seed(1)
    assert torch.equal(dataset[0]['inputs']['frames'], first)
