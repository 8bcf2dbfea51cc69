"""Texts of the training identities in the checkpoints of stage 1."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from csipreid.registry import HOOKS


@HOOKS.register_module()
class TextPrototypeHook(Hook):
    """Compute the text of every identity whenever a checkpoint is written.

    Stage 2 of CLIP-ReID takes them from there, so that it needs no text tower.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the texts of now into the checkpoint.

        Raises:
            ValueError: If a text is not finite.
        """
        model = runner.bare_model
        model.update_prototypes()
        for name, value in model.prototype_bank.state_dict().items():
            checkpoint['state_dict'][f'prototype_bank.{name}'] = value.cpu()
