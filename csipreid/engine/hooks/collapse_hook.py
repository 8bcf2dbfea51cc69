"""A warning when embeddings have become all alike."""

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from csipreid.registry import HOOKS


@HOOKS.register_module()
class CollapseHook(Hook):
    """Warn after an epoch in which the embeddings of different people were nearly equal.

    A contrastive loss then stands at the logarithm of the number of contrasts and
    nothing is learnt, however long the training. The model keeps the mean cosine
    between embeddings of different clips of its last batch.

    Args:
        key: Attribute of the model that holds it.
        threshold: Mean cosine above which it counts as collapse, in (0, 1).

    Raises:
        ValueError: If the threshold is out of range.
    """

    priority = 'LOW'

    def __init__(self, key: str = 'skeleton_cosine', threshold: float = 0.95) -> None:
        if not 0 < threshold < 1:
            raise ValueError(f'threshold must be in (0, 1), got {threshold}')
        self.key = key
        self.threshold = threshold

    def check(self, runner: Runner) -> None:
        """Refuse a model that does not keep the cosine.

        Raises:
            TypeError: If the model has no attribute of that name.
        """
        if runner.will_train and not hasattr(runner.bare_model, self.key):
            raise TypeError(
                f'CollapseHook watches {self.key!r}, which {type(runner.bare_model).__name__} does '
                'not have; leave the hook out'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Start an epoch."""
        # Tensors that stay on the device, read once an epoch.
        self._sum: torch.Tensor | float = 0.0
        self._count = 0

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Add the cosine of a batch."""
        self._sum = self._sum + getattr(runner.bare_model, self.key)
        self._count += 1

    def after_train_epoch(self, runner: Runner) -> None:
        """Warn if the mean is too high."""
        mean = float(self._sum) / max(self._count, 1)
        if mean > self.threshold:
            runner.logger.warning(
                f'the embeddings have collapsed: the mean {self.key} of epoch {runner.epoch + 1} '
                f'is {mean:.3f}, so all clips look alike and a contrastive loss cannot fall; '
                'lower the learning rate, or set batch_norm=True in the skeleton_head'
            )
