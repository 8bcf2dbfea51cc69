"""How many frames came with a skeleton."""

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner

from csipreid.registry import HOOKS


@HOOKS.register_module()
class SkeletonCoverageHook(Hook):
    """Report once, after the first epoch, how many sampled frames had no skeleton.

    Counted are the frames that training really saw, over all ranks: those whose
    skeleton file is absent or all zero. It reads ``skeleton_valid`` (T,) of the
    data samples and stays silent for pipelines that load no skeletons.
    """

    priority = 'LOW'

    def before_train(self, runner: Runner) -> None:
        """Start counting."""
        self._frames = 0
        # A tensor, which is read once: its values may be on a device.
        self._missing: torch.Tensor | int = 0
        self._first_epoch = runner.epoch

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Count the frames of a batch."""
        if runner.epoch != self._first_epoch or not isinstance(data_batch, dict):
            return
        for sample in data_batch['data_samples']:
            if 'skeleton_valid' in sample:
                valid = torch.as_tensor(sample.skeleton_valid)
                self._frames += valid.numel()
                self._missing = self._missing + (~valid).sum()

    def after_train_epoch(self, runner: Runner) -> None:
        """Add up the ranks and report."""
        if runner.epoch != self._first_epoch:
            return
        counts = torch.tensor([self._frames, int(self._missing)])
        all_reduce(counts)
        frames, missing = counts.tolist()
        if frames:
            runner.logger.info(
                f'skeletons: {missing} of the {frames} frames seen in epoch {runner.epoch + 1} '
                f'had none ({missing / frames:.1%})'
            )
