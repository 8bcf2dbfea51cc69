"""A frozen part that nothing fills."""

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from csipreid.engine.hooks.load_pretrained_hook import LoadPretrainedHook, starts_from_its_parts
from csipreid.registry import HOOKS


@HOOKS.register_module()
class FrozenPartsHook(Hook):
    """Refuse to train beside a frozen part of the model that holds random weights.

    A part that never trains is worth what it was filled with: by ``LoadPretrainedHook``,
    by an ``init_cfg`` of the type 'Pretrained', or by the checkpoint that a run loads or
    resumes. Who wants it random sets this hook to None.
    """

    def check(self, runner: Runner) -> None:
        """Look at the parts of the model.

        Raises:
            ValueError: If one is frozen and nothing fills it.
        """
        if not starts_from_its_parts(runner) or _is_pretrained(runner.bare_model):
            return
        filled = {
            part
            for hook in runner.hooks
            if isinstance(hook, LoadPretrainedHook)
            for part in hook.parts
        }
        for name, part in runner.bare_model.named_children():
            parameters = list(part.parameters())
            trains = not parameters or any(parameter.requires_grad for parameter in parameters)
            if trains or name in filled or any(map(_is_pretrained, part.modules())):
                continue
            raise ValueError(
                f'{name} of the model is frozen and nothing fills it, so it would stay random: '
                'name its weights in default_hooks.pretrained (--pretrained) or in an init_cfg of '
                "the type 'Pretrained'; to have it random, set default_hooks.frozen_parts=None"
            )


def _is_pretrained(module: nn.Module) -> bool:
    """Tell whether the config of a module names a file of weights."""
    settings = getattr(module, 'init_cfg', None) or []
    return any(
        item.get('type') == 'Pretrained'
        for item in (settings if isinstance(settings, list) else [settings])
    )
