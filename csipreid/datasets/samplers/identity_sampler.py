"""Batches of P identities with K tracklets each."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from csipreid.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class IdentitySampler(Sampler):
    """Draw P identities per batch and process, and K tracklets of each.

    In an epoch the n_i tracklets of identity i are shuffled and cut into
    ``g_i = max(n_i, K) // K`` groups; an identity with fewer than K tracklets repeats them as
    evenly as possible. A batch over all W processes takes one group of each of P W *different*
    identities, and each process gets P whole identities. The number of batches is the largest
    B that admits such a plan, ``sum_i min(g_i, B) >= P W B``; which groups are left out then
    is random. So the length is exact and the same in every epoch.

    With look-alikes (:meth:`set_look_alikes`) an identity that is drawn brings those that look
    like it, as far as they have groups left; all else stays.

    Source:
        P x K sampling: Hermans et al., "In Defense of the Triplet Loss for Person
        Re-Identification", arXiv:1703.07737. The published CSIP-ReID code draws batches until
        fewer than P identities have groups left, so that its epochs vary in length.

    Args:
        dataset: Data set whose items have a ``pid``.
        batch_size: Tracklets per batch and process, P K; the same as that of the data loader.
        num_instances: Tracklets per identity in a batch, K.
        seed: Seed, the same on every process; None draws one and shares it.

    Raises:
        ValueError: If ``batch_size`` is not a multiple of ``num_instances``, or there are
            fewer identities than a batch needs.
    """

    def __init__(
        self,
        dataset: BaseDataset,
        batch_size: int,
        num_instances: int,
        seed: int | None = None,
    ) -> None:
        if num_instances < 1 or batch_size < 1 or batch_size % num_instances:
            raise ValueError(
                'batch_size must be a positive multiple of num_instances, '
                f'got {batch_size} and {num_instances}'
            )
        self.rank, self.world_size = get_dist_info()
        self.num_instances = num_instances
        self.ids_per_rank = batch_size // num_instances
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0

        indices_of_pid = defaultdict(list)
        label_of_pid = {}
        for index in range(len(dataset)):
            item = dataset.get_data_info(index)
            indices_of_pid[item['pid']].append(index)
            label_of_pid[item['pid']] = item.get('label')
        pids = sorted(indices_of_pid)
        self.indices = [np.array(indices_of_pid[pid]) for pid in pids]
        self._labels = [label_of_pid[pid] for pid in pids]
        num_ids = self.ids_per_rank * self.world_size
        if len(self.indices) < num_ids:
            raise ValueError(
                f'a batch needs {num_ids} identities ({self.ids_per_rank} on each of '
                f'{self.world_size} processes), the data set has {len(self.indices)}; '
                'lower batch_size or raise num_instances'
            )
        self.num_groups = np.array(
            [max(len(indices), num_instances) // num_instances for indices in self.indices]
        )
        self.num_batches = _count_batches(self.num_groups, num_ids)
        self._look_alikes: list[list[int]] | None = None

    def __iter__(self) -> Iterator[int]:
        """Yield this process's tracklets of the epoch, identity after identity."""
        rng = np.random.default_rng((self.seed, self.epoch))
        groups = [self._groups(indices, rng) for indices in self.indices]
        num_ids = self.ids_per_rank * self.world_size
        mine = slice(self.rank * self.ids_per_rank, (self.rank + 1) * self.ids_per_rank)
        plan = _plan(self.num_groups, num_ids, self.num_batches, rng, self._look_alikes)
        for batch in plan:
            drawn = [groups[identity].pop() for identity in batch]
            for group in drawn[mine]:
                yield from group

    def __len__(self) -> int:
        """Return the number of tracklets that one process gets in an epoch."""
        return self.num_batches * self.ids_per_rank * self.num_instances

    def set_epoch(self, epoch: int) -> None:
        """Choose the plan of the epoch to come."""
        self.epoch = epoch

    def set_look_alikes(self, table: np.ndarray) -> None:
        """Choose who comes into a batch with whom, from the next epoch on.

        Args:
            table: Labels of the look-alikes of each label, the most similar first, int64,
                (number of labels, n); the same on every process.

        Raises:
            ValueError: If the data set has labels that the table does not know.
        """
        identity = {label: index for index, label in enumerate(self._labels)}
        if set(identity) != set(range(len(table))):
            raise ValueError(
                f'look-alikes of {len(table)} labels do not fit the {len(identity)} identities '
                'of the data set; the model and the sampler must have the same training set'
            )
        self._look_alikes = [
            [identity[other] for other in table[label].tolist()] for label in self._labels
        ]

    def _groups(self, indices: np.ndarray, rng: np.random.Generator) -> list[list[int]]:
        """Shuffle the tracklets of one identity and cut them into groups of K."""
        shuffled = rng.permutation(indices)
        if len(shuffled) < self.num_instances:
            shuffled = np.resize(shuffled, self.num_instances)  # repeats cyclically
        count = len(shuffled) // self.num_instances
        return shuffled[: count * self.num_instances].reshape(count, -1).tolist()


def _count_batches(num_groups: np.ndarray, num_ids: int) -> int:
    """Return the largest B with ``sum_i min(g_i, B) >= num_ids * B``.

    The left side minus the right is concave in B and zero at B = 0, so the search can stop
    at the first B that fails.
    """
    batches = 0
    while np.minimum(num_groups, batches + 1).sum() >= num_ids * (batches + 1):
        batches += 1
    return batches


def _plan(
    num_groups: np.ndarray,
    num_ids: int,
    num_batches: int,
    rng: np.random.Generator,
    look_alikes: Sequence[Sequence[int]] | None = None,
) -> Iterator[np.ndarray]:
    """Yield the identities of each batch, distinct within it, int64, (num_ids,).

    First groups are left out at random until exactly ``num_ids * num_batches`` remain, at
    most ``num_batches`` of one identity. With R batches to go, every identity with R groups
    left must be in the next; the other places are drawn, with odds that grow with the groups
    left. That keeps "at most R of one identity, num_ids * R in total" true, hence the plan
    never runs dry. With look-alikes the other places go to those drawn and to whom they bring.
    """
    capped = np.minimum(num_groups, num_batches)
    pool = rng.permutation(np.repeat(np.arange(len(capped)), capped))[: num_ids * num_batches]
    left = np.bincount(pool, minlength=len(capped))
    for remaining in range(num_batches, 0, -1):
        # Weighted draw without replacement (Efraimidis and Spirakis, 2006): smallest keys.
        keys = rng.exponential(size=len(left)) / np.maximum(left, 1)
        keys[left == 0] = np.inf
        keys[left == remaining] = -1.0
        order = np.argsort(keys)
        if look_alikes is None:
            batch = rng.permutation(order[:num_ids])
        else:
            batch = _gather(order, keys, look_alikes, num_ids)
        left[batch] -= 1
        yield batch


def _gather(
    order: np.ndarray, keys: np.ndarray, look_alikes: Sequence[Sequence[int]], num_ids: int
) -> np.ndarray:
    """Fill a batch: first who must be in it, then in order everyone with his look-alikes.

    Look-alikes stand next to one another, so that they come to the same process.

    Args:
        order: All identities, those with the smallest keys first, int64, (N,).
        keys: Negative for who must be in, infinite for who has no group left, (N,).
        look_alikes: Those of each identity, the most similar first.
        num_ids: Number of identities of the batch.

    Returns:
        Distinct identities, int64, (num_ids,).
    """
    due = {identity for identity in order.tolist() if keys[identity] < 0}
    free = num_ids - len(due)
    batch: dict[int, None] = {}  # in the order of coming
    for identity in order.tolist():
        for member in (identity, *look_alikes[identity]):
            if member in batch or np.isinf(keys[member]):
                continue
            if member not in due:
                if free == 0:
                    continue
                free -= 1
            batch[member] = None
        if len(batch) == num_ids:
            break
    return np.array(list(batch))
