"""Parameter groups with learning rates that multiply."""

from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import OPTIMIZERS
from torch import nn

from csipreid.registry import OPTIM_WRAPPER_CONSTRUCTORS


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MultipliedLROptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Scale the learning rate of parameters by the product of all rules that match.

    The published CSIP-ReID recipe doubles the rate of biases and multiplies that
    of new modules by ten, so a bias of a new module gets twenty times the rate.
    MMEngine's constructor applies one rule only. Parameters with the same rate
    share one group, which lets the optimiser update them in one call.

    ``paramwise_cfg`` holds ``bias_lr_mult`` (for parameters with 'bias' in their
    name) and ``lr_mults``, a dict from the beginning of a parameter's name to
    its multiplier. Parameters that do not require a gradient get no group.
    """

    def _validate_cfg(self) -> None:
        """Accept only the keys that are read."""
        unknown = set(self.paramwise_cfg) - {'bias_lr_mult', 'lr_mults'}
        if unknown:
            raise ValueError(
                f'paramwise_cfg has unknown keys {sorted(unknown)}; '
                "known are 'bias_lr_mult' and 'lr_mults'"
            )

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimiser and its wrapper for a model.

        Raises:
            ValueError: If a prefix of ``lr_mults`` matches no parameter.
        """
        model = getattr(model, 'module', model)
        lr_mults = dict(self.paramwise_cfg.get('lr_mults', {}))
        names = [name for name, _ in model.named_parameters()]
        for prefix in lr_mults:
            if not any(name.startswith(prefix) for name in names):
                raise ValueError(f'lr_mults: no parameter name starts with {prefix!r}')

        groups: dict[float, list[nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            scale = 1.0
            for prefix, mult in lr_mults.items():
                if name.startswith(prefix):
                    scale *= mult
            if 'bias' in name:
                scale *= self.paramwise_cfg.get('bias_lr_mult', 1.0)
            groups.setdefault(scale, []).append(parameter)
        optimizer = OPTIMIZERS.build(
            dict(
                self.optimizer_cfg,
                params=[
                    dict(params=parameters, lr=self.base_lr * scale)
                    for scale, parameters in groups.items()
                ],
            )
        )
        wrapper = dict(type='OptimWrapper') | self.optim_wrapper_cfg
        return MMENGINE_OPTIM_WRAPPERS.build(wrapper, default_args=dict(optimizer=optimizer))
