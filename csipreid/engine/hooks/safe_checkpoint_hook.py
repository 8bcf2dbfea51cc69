"""Checkpoints of which one is whole at any time."""

import inspect
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

    The arguments are those of :class:`mmengine.hooks.CheckpointHook`, but for
    ``out_dir`` and ``filename_tmpl``: to resume, a run looks for ``epoch_E.pth`` and
    ``iter_N.pth`` in its work directory.

    Raises:
        TypeError: If one of these two is given, or what is no argument of either it or of
            ``save_checkpoint`` of the runner.
    """

    keep_ckpt_ids: Any
    best_ckpt_path: str | None
    best_ckpt_path_dict: dict[str, str | None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        for name in ('out_dir', 'filename_tmpl'):
            if kwargs.get(name) is not None:
                raise TypeError(
                    f'SafeCheckpointHook takes no {name}: checkpoints are found by their names in '
                    'the work directory, which --work-dir chooses'
                )
        super().__init__(*args, **kwargs)
        strange = set(self.args) - set(inspect.signature(Runner.save_checkpoint).parameters)
        if strange:  # MMEngine would find out when it writes the first checkpoint
            raise TypeError(f'SafeCheckpointHook takes no {", ".join(sorted(strange))}')

    def before_train(self, runner: Runner) -> None:
        """Take from a resumed checkpoint only names of files that this folder holds.

        What is named there is removed when a better or newer one comes: it must be a
        checkpoint, and not one of the folder that the run was resumed from.
        """
        info = runner.message_hub.runtime_info
        for key in [key for key in info if key.startswith('best_ckpt')]:
            path = Path(runner.work_dir, Path(str(info[key])).name)
            if not _is_best(path):
                del info[key]
            else:
                info[key] = str(path)
        for key in [key for key in info if key.startswith('best_score')]:
            if not isinstance(info[key], int | float):
                del info[key]
        kept = info.get('keep_ckpt_ids', [])
        kept = kept if isinstance(kept, list) else []
        info['keep_ckpt_ids'] = [step for step in kept if isinstance(step, int)]
        super().before_train(runner)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict) -> None:
        """Write a checkpoint, then remove those that are too many."""
        outdated: list[int] = []
        if self.max_keep_ckpts > 0:
            kept = [other for other in self.keep_ckpt_ids if other != step]
            cut = max(len(kept) - (self.max_keep_ckpts - 1), 0)
            outdated, kept = kept[:cut], kept[cut:]
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
        """Write better checkpoints, then remove those that were best before."""
        if not self.save_best:
            return
        before = self._best_paths()
        self._set_best_paths(dict.fromkeys(before))  # what it does not know is not removed
        super()._save_best_checkpoint(runner, metrics)
        now = self._best_paths()
        self._set_best_paths({measure: now[measure] or before[measure] for measure in before})
        for measure, path in before.items():
            if path and now[measure] not in (None, path) and is_main_process():
                Path(path).unlink(missing_ok=True)

    def _best_paths(self) -> dict[str, str | None]:
        """Return the best checkpoint by each measure."""
        if len(self.key_indicators) == 1:
            return dict(best=self.best_ckpt_path)
        return dict(self.best_ckpt_path_dict)

    def _set_best_paths(self, paths: dict[str, str | None]) -> None:
        """Replace what :meth:`_best_paths` returns."""
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = paths['best']
        else:
            self.best_ckpt_path_dict = paths


def _is_best(path: Path) -> bool:
    """Tell whether a file is one that holds, by its name, the best of a run."""
    return path.name.startswith('best_') and path.suffix == '.pth' and path.is_file()
