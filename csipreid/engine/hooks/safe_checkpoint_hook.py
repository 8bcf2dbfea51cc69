"""Checkpoints of which one is whole at any time."""

import os
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from csipreid.registry import HOOKS


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """MMEngine's checkpoint hook, which removes old files only behind new ones.

    A run that is killed while a checkpoint is written leaves all earlier ones,
    the best one included. ``last_checkpoint`` is replaced as a whole.

    The arguments are those of :class:`mmengine.hooks.CheckpointHook`.
    """

    keep_ckpt_ids: Any
    best_ckpt_path: str | None

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Write a checkpoint, then remove those that are too many."""
        outdated: list[int] = []
        if self.max_keep_ckpts > 0:
            kept = [other for other in self.keep_ckpt_ids if other != step]
            count = self.max_keep_ckpts - 1
            outdated, kept = kept[: len(kept) - count], kept[len(kept) - count :]
            self.keep_ckpt_ids.clear()
            self.keep_ckpt_ids.extend([*kept, step])
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = os.path.join(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            **self.args,
        )
        if not is_main_process():
            return
        partial = Path(runner.work_dir, 'last_checkpoint.partial')
        partial.write_text(self.last_ckpt, encoding='utf-8')
        os.replace(partial, Path(runner.work_dir, 'last_checkpoint'))
        for other in outdated:
            Path(self.out_dir, self.filename_tmpl.format(other)).unlink(missing_ok=True)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        """Write a better checkpoint, then remove the one that was best before."""
        if not self.save_best or len(self.key_indicators) > 1:
            super()._save_best_checkpoint(runner, metrics)
            return
        before, self.best_ckpt_path = self.best_ckpt_path, None
        super()._save_best_checkpoint(runner, metrics)
        if self.best_ckpt_path is None:
            self.best_ckpt_path = before
        elif before and before != self.best_ckpt_path and is_main_process():
            Path(before).unlink(missing_ok=True)
