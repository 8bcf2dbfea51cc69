from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from csipreid.registry import DATA_SAMPLERS, DATASETS


class Tracklets:
    """A data set that knows persons only."""

    def __init__(self, counts):
        self.pids = np.repeat(100 + np.arange(len(counts)), counts)

    def __len__(self):
        return len(self.pids)

    def get_data_info(self, index):
        return dict(pid=int(self.pids[index]))


def build(counts, batch_size, num_instances, rank=0, world_size=1, seed=0, epoch=0):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            'csipreid.datasets.samplers.identity_sampler.get_dist_info', lambda: (rank, world_size)
        )
        sampler = DATA_SAMPLERS.build(
            dict(
                type='IdentitySampler',
                dataset=Tracklets(counts),
                batch_size=batch_size,
                num_instances=num_instances,
                seed=seed,
            )
        )
    sampler.set_epoch(epoch)
    return sampler


def batches(counts, batch_size, num_instances, **kwargs):
    """Return the indices of an epoch, (batches, P, K)."""
    indices = list(build(counts, batch_size, num_instances, **kwargs))
    return np.array(indices).reshape(-1, batch_size // num_instances, num_instances)


def longest_epoch(groups, num_ids):
    """Try all ways to draw ``num_ids`` different identities per batch."""

    @cache
    def longest(left):
        # Which identities with equally many groups are drawn makes no difference.
        options = set()

        def choose(start, need, chosen):
            if need == 0:
                rest = list(left)
                for index in chosen:
                    rest[index] -= 1
                options.add(tuple(sorted(g for g in rest if g)))
                return
            for index in range(start, len(left)):
                choose(index + 1, need - 1, (*chosen, index))

        choose(0, num_ids, ())
        return max((1 + longest(option) for option in options), default=0)

    return longest(tuple(sorted(groups)))


COUNTS = [9, 2, 4, 1, 30, 7, 8, 5, 6, 3]


@settings(max_examples=60, deadline=None, database=None)
@given(
    counts=st.lists(st.integers(1, 9), min_size=2, max_size=5),
    num_instances=st.integers(1, 3),
    ids_per_batch=st.integers(1, 3),
)
def test_epoch_is_as_long_as_possible(counts, num_instances, ids_per_batch):
    assume(len(counts) >= ids_per_batch)
    groups = [max(n, num_instances) // num_instances for n in counts]
    sampler = build(counts, ids_per_batch * num_instances, num_instances)
    expected = longest_epoch(groups, ids_per_batch)
    assert len(sampler) == expected * ids_per_batch * num_instances


@settings(max_examples=100, deadline=None, database=None)
@given(
    counts=st.lists(st.integers(1, 40), min_size=4, max_size=20),
    num_instances=st.integers(1, 4),
    ids_per_batch=st.integers(1, 4),
    seed=st.integers(0, 100),
)
def test_length_is_exact(counts, num_instances, ids_per_batch, seed):
    sampler = build(counts, ids_per_batch * num_instances, num_instances, seed=seed)
    assert len(list(sampler)) == len(sampler)


@settings(max_examples=100, deadline=None, database=None)
@given(
    counts=st.lists(st.integers(1, 40), min_size=4, max_size=20),
    num_instances=st.integers(1, 4),
    ids_per_batch=st.integers(1, 4),
)
def test_identities_of_a_batch_are_distinct_and_whole(counts, num_instances, ids_per_batch):
    epoch = batches(counts, ids_per_batch * num_instances, num_instances)
    pids = Tracklets(counts).pids[epoch]  # (batches, P, K)
    assert (pids == pids[..., :1]).all()
    assert all(len(set(batch)) == ids_per_batch for batch in pids[..., 0].tolist())


def test_no_tracklet_is_drawn_twice_where_there_are_enough():
    drawn = batches([8, 8, 9, 11], batch_size=8, num_instances=4).ravel()
    assert len(set(drawn.tolist())) == len(drawn)


def test_few_tracklets_are_repeated_as_evenly_as_possible():
    epoch = batches([3, 1], batch_size=10, num_instances=5)
    counts = np.bincount(epoch.ravel())
    assert sorted(counts[:3].tolist()) == [1, 2, 2]
    assert counts[3] == 5


def test_ranks_share_one_plan():
    ranks = [batches(COUNTS, 8, 4, rank=rank, world_size=3) for rank in range(3)]
    whole = batches(COUNTS, 24, 4)
    assert np.array_equal(np.concatenate(ranks, axis=1), whole)


def test_identities_differ_between_ranks():
    ranks = [batches(COUNTS, 8, 4, rank=rank, world_size=3)[..., 0] for rank in range(3)]
    pids = Tracklets(COUNTS).pids[np.concatenate(ranks, axis=1)]
    assert all(len(set(batch)) == 6 for batch in pids.tolist())


def test_epoch_is_reproducible():
    assert np.array_equal(batches(COUNTS, 8, 2, epoch=3), batches(COUNTS, 8, 2, epoch=3))


@pytest.mark.parametrize('other', [dict(epoch=1), dict(seed=1)])
def test_epochs_and_seeds_differ(other):
    first, second = batches(COUNTS, 8, 2), batches(COUNTS, 8, 2, **other)
    assert first.shape == second.shape
    assert not np.array_equal(first, second)


def test_every_tracklet_has_its_turn():
    seen = set()
    for epoch in range(30):
        seen |= set(batches(COUNTS, 8, 4, epoch=epoch).ravel().tolist())
    assert seen == set(range(sum(COUNTS)))


def test_reads_the_persons_of_a_data_set(mars_root):
    dataset = DATASETS.build(dict(type='MARS', data_root=mars_root, subset='train'))
    sampler = DATA_SAMPLERS.build(
        dict(type='IdentitySampler', dataset=dataset, batch_size=4, num_instances=2, seed=0)
    )
    assert sorted(dataset[index]['pid'] for index in sampler) == [3, 3, 7, 7]


def test_too_few_identities_are_counted():
    with pytest.raises(ValueError, match=r'needs 6 identities \(2 on each of 3 .* data set has 5'):
        build([4] * 5, batch_size=8, num_instances=4, world_size=3)


@pytest.mark.parametrize(('batch_size', 'num_instances'), [(10, 4), (0, 4), (8, 0)])
def test_batch_must_hold_whole_identities(batch_size, num_instances):
    with pytest.raises(ValueError, match=f'got {batch_size} and {num_instances}'):
        build([4] * 5, batch_size, num_instances)


class LabelledTracklets(Tracklets):
    """Identities whose labels run against the order of their persons."""

    def get_data_info(self, index):
        pid = int(self.pids[index])
        return dict(pid=pid, label=int(self.pids.max()) - pid)


def look_alike_batches(counts, table, batch_size, num_instances, **kwargs):
    """Return the labels of an epoch's batches, (batches, P)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f'{__name__}.Tracklets', LabelledTracklets)
        sampler = build(counts, batch_size, num_instances, **kwargs)
    sampler.set_look_alikes(np.array(table))
    pids = LabelledTracklets(counts).pids[list(sampler)]
    return (pids.max() - pids).reshape(-1, batch_size // num_instances, num_instances)[..., 0]


def test_an_identity_brings_its_look_alikes():
    # Labels 0 and 1 look alike, 2 and 3, and so on; all have as many tracklets.
    table = [[label ^ 1] for label in range(12)]
    for batch in look_alike_batches([4] * 12, table, batch_size=8, num_instances=2):
        assert {label ^ 1 for label in batch} == set(batch)


def test_look_alikes_come_to_one_process():
    table = [[label ^ 1] for label in range(12)]
    for rank in range(2):
        arguments = dict(batch_size=8, num_instances=2, rank=rank, world_size=2)
        for batch in look_alike_batches([4] * 12, table, **arguments):
            assert {label ^ 1 for label in batch} == set(batch)


@settings(deadline=None, max_examples=60)
@given(
    counts=st.lists(st.integers(1, 9), min_size=4, max_size=9),
    num_ids=st.integers(1, 4),
    num_instances=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_look_alikes_change_neither_length_nor_what_a_batch_is(
    counts, num_ids, num_instances, seed
):
    batch_size = num_ids * num_instances
    rng = np.random.default_rng(seed)
    table = [rng.permutation(np.delete(np.arange(len(counts)), k))[:2] for k in range(len(counts))]
    drawn = look_alike_batches(counts, table, batch_size, num_instances, seed=seed)
    assert len(drawn) == len(batches(counts, batch_size, num_instances, seed=seed))
    assert all(len(set(batch)) == num_ids for batch in drawn.tolist())


@pytest.mark.parametrize('labels', [11, 13])
def test_look_alikes_of_another_data_set_are_refused(labels):
    with pytest.raises(ValueError, match=f'{labels} labels do not fit the 12 identities'):
        look_alike_batches([4] * 12, [[0]] * labels, batch_size=8, num_instances=2)
