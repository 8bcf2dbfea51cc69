"""Batches of people who look alike."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor
from torch.nn import functional as F

from csipreid.engine.sharding import whole_parameters
from csipreid.registry import HOOKS

_KEY = 'look_alikes'
_BLOCK = 4096  # identities that are compared with all others at a time


@HOOKS.register_module()
class LookAlikeHook(Hook):
    """Before each epoch, tell the sampler whom the model can hardly tell from whom.

    Identities whose rows in a classifier point the same way look alike to the model.
    Together in a batch they are each other's hard negatives, and what tells them apart
    has to be learnt, for example bodies where the clothing is the same. No image is
    computed for it, and in the first epoch, while the rows are random, so are the batches.

    An epoch that is continued in its midst keeps the batches it began with: the
    checkpoint holds them.

    Source:
        Liao and Shao, "Graph Sampling Based Deep Metric Learning for Generalizable Person
        Re-Identification", CVPR 2022, with rows of the classifier, which need no further
        pass over the data, in place of features of one image per identity.

    Args:
        num_look_alikes: Most similar identities that come into a batch with an identity.
        parameter: Name of the classifier in the model, a weight of shape (K, D).

    Raises:
        ValueError: If ``num_look_alikes`` is not positive.
    """

    def __init__(
        self, num_look_alikes: int = 2, parameter: str = 'projected_head.classifier.weight'
    ) -> None:
        if num_look_alikes < 1:
            raise ValueError(f'num_look_alikes must be positive, got {num_look_alikes}')
        self.num_look_alikes = num_look_alikes
        self.parameter = parameter
        self._table: Tensor | None = None

    def check(self, runner: Runner) -> None:
        """Refuse a model without the classifier, and a sampler that cannot be told.

        Raises:
            TypeError: If the model has no such parameter, or the sampler takes no look-alikes.
        """
        if not runner.will_train:
            return
        names = [name for name, _ in runner.bare_model.named_parameters()]
        if self.parameter not in names:
            raise TypeError(
                f'LookAlikeHook compares identities by {self.parameter!r}, which '
                f'{type(runner.bare_model).__name__} does not have; leave the hook out'
            )
        sampler = runner.train_dataloader.sampler
        if not hasattr(sampler, 'set_look_alikes'):
            raise TypeError(
                f'LookAlikeHook needs a sampler of identities such as IdentitySampler, not '
                f'{type(sampler).__name__}; leave the hook out'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Give the sampler the look-alikes of now, or those the epoch began with."""
        if not getattr(runner.train_loop, 'batches_done', 0):
            with whole_parameters(runner.model):
                rows = runner.bare_model.get_parameter(self.parameter)
                self._table = most_similar_rows(rows.detach().float().cpu(), self.num_look_alikes)
        elif self._table is None:
            raise ValueError(
                'the checkpoint was written in the midst of an epoch by a run without '
                'LookAlikeHook, whose batches were others; resume one of the end of an epoch'
            )
        runner.train_dataloader.sampler.set_look_alikes(self._table.numpy())

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the look-alikes of the current epoch."""
        if self._table is not None:
            checkpoint[_KEY] = self._table

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Take over the look-alikes of an epoch that is to be continued.

        Raises:
            ValueError: If the checkpoint holds something else under their name.
        """
        table = checkpoint.get(_KEY)
        if table is None:
            return
        if (
            not isinstance(table, Tensor)
            or table.dtype != torch.int64
            or table.ndim != 2
            or not len(table)
            or not 0 <= int(table.min()) <= int(table.max()) < len(table)
        ):
            raise ValueError(
                f'{_KEY!r} of the checkpoint must be an int64 tensor (K, n) of identities in '
                '[0, K); the file is damaged or not a training checkpoint of this toolbox'
            )
        self._table = table.cpu()


def most_similar_rows(rows: Tensor, count: int) -> Tensor:
    """Find for each row the others of the greatest cosine.

    Args:
        rows: Float, (K, D).
        count: How many of them; fewer where there are not as many others.

    Returns:
        Indices, the most similar first, int64, (K, min(count, K - 1)).
    """
    unit = F.normalize(rows, dim=1)
    count = min(count, len(unit) - 1)
    found = []
    for start in range(0, len(unit), _BLOCK):
        cosines = unit[start : start + _BLOCK] @ unit.T
        own = torch.arange(len(cosines))
        cosines[own, own + start] = -torch.inf
        found.append(cosines.topk(count, dim=1).indices)
    return torch.cat(found)
