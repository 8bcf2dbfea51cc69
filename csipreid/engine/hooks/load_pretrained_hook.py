"""Hand-over of trained parts from one stage to the next."""

from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.runner import Runner

from csipreid.checkpoint import fill_module, read_checkpoint, select_part
from csipreid.engine.resuming import checkpoints_of
from csipreid.registry import HOOKS


@HOOKS.register_module()
class LoadPretrainedHook(Hook):
    """Fill parts of the model from a checkpoint, and refuse to train without it.

    The parts have to fit key by key and shape by shape. This is checked while
    the runner is built; the weights are loaded just before training, after the
    model's own initialisation. A run that resumes, or that loads a whole model
    with ``load_from``, does not need the file again.

    Args:
        checkpoint: File with the parts: a checkpoint of another stage, or a bare
            state dict of the only part. None refuses to train.
        parts: Attribute names of the model's parts to fill.
        hint: What to do when the file is missing, for the error message.
    """

    # After the weights are initialised and before the prototypes are built.
    priority = 'HIGH'

    def __init__(self, checkpoint: str | None, parts: Sequence[str], hint: str) -> None:
        self.checkpoint = checkpoint
        self.parts = parts
        self.hint = hint

    def check(self, runner: Runner) -> None:
        """Try the weights on the model.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If no file was named, or it does not fit.
        """
        if not starts_from_its_parts(runner):
            return
        if self.checkpoint is None:
            raise ValueError(f'weights for {", ".join(self.parts)} are needed: {self.hint}')
        try:
            self._fill(runner)
        except FileNotFoundError as error:
            raise FileNotFoundError(f'{error}: {self.hint}') from error

    def before_train(self, runner: Runner) -> None:
        """Load the weights, unless a whole model was loaded."""
        if not runner._has_loaded:
            self._fill(runner)
            runner.logger.info(f'{", ".join(self.parts)} filled from {self.checkpoint}')

    def _fill(self, runner: Runner) -> None:
        """Load each part."""
        state = read_checkpoint(str(self.checkpoint))['state_dict']
        for part in self.parts:
            # A file of one part alone is named by its keys; one for several names each.
            if len(self.parts) > 1 and not any(key.startswith(f'{part}.') for key in state):
                raise ValueError(f'checkpoint {self.checkpoint} holds no {part}: {self.hint}')
            fill_module(
                getattr(runner.bare_model, part),
                select_part(state, part),
                f'{part} of checkpoint {self.checkpoint}',
            )


def starts_from_its_parts(runner: Runner) -> bool:
    """Tell whether a run will train a model that no checkpoint fills as a whole."""
    resumes = runner._resume and bool(checkpoints_of(runner.work_dir))
    return runner.will_train and runner._load_from is None and not resumes
