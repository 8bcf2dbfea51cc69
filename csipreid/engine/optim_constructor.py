"""Construction of optimisers: fused where it can be, with learning rates that multiply."""

import inspect
from collections.abc import Iterable, Sequence

import torch
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import OPTIMIZERS
from torch import nn

from csipreid.registry import OPTIM_WRAPPER_CONSTRUCTORS

# Of MMEngine's constructor.
_RULES = (
    'bias_decay_mult',
    'bias_lr_mult',
    'bypass_duplicate',
    'custom_keys',
    'dcn_offset_lr_mult',
    'dwconv_decay_mult',
    'flat_decay_mult',
    'norm_decay_mult',
)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class FusedOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """MMEngine's constructor, with an optimiser that is fused where it can be.

    ``paramwise_cfg`` holds MMEngine's own rules; see :func:`fuse`.
    """

    optimizer_cfg: dict

    def _validate_cfg(self) -> None:
        """Accept only the rules that MMEngine has; it ignores others in silence."""
        super()._validate_cfg()
        _refuse_unknown(self.paramwise_cfg or {}, _RULES)

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimiser and its wrapper for a model."""
        self.optimizer_cfg = fuse(self.optimizer_cfg, model.parameters())
        return super().__call__(model)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class MultipliedLROptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Scale the learning rate of parameters by the product of all rules that match.

    The published CSIP-ReID recipe doubles the rate of biases and multiplies that
    of new modules by ten, so a bias of a new module gets twenty times the rate.
    MMEngine's constructor applies one rule only. Parameters with the same rate
    share one group, which lets the optimiser update them in one call. It is fused
    where it can be; see :func:`fuse`.

    ``paramwise_cfg`` holds ``bias_lr_mult`` (for parameters with 'bias' in their
    name) and ``lr_mults``, a dict from the beginning of a parameter's name to
    its multiplier. Parameters that do not require a gradient get no group.
    """

    def _validate_cfg(self) -> None:
        """Accept only the keys that are read."""
        _refuse_unknown(self.paramwise_cfg or {}, ('bias_lr_mult', 'lr_mults'))

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
        parameters = [parameter for group in groups.values() for parameter in group]
        optimizer = OPTIMIZERS.build(
            dict(
                fuse(self.optimizer_cfg, parameters),
                params=[
                    dict(params=group, lr=self.base_lr * scale) for scale, group in groups.items()
                ],
            )
        )
        wrapper = dict(type='OptimWrapper') | self.optim_wrapper_cfg
        return MMENGINE_OPTIM_WRAPPERS.build(wrapper, default_args=dict(optimizer=optimizer))


def _refuse_unknown(paramwise_cfg: dict, known: Sequence[str]) -> None:
    """Refuse rules that nothing reads."""
    unknown = sorted(set(paramwise_cfg) - set(known))
    if unknown:
        raise ValueError(
            f'optim_wrapper.paramwise_cfg has unknown keys {unknown}; known are {", ".join(known)}'
        )


def fuse(optimizer_cfg: dict, parameters: Iterable[nn.Parameter]) -> dict:
    """Let an optimiser update its parameters in one kernel, where torch has one.

    The results differ by rounding, and a step takes a fraction of the time, also on
    a CPU. A config that says ``fused`` or ``foreach`` is left as it is, and so is
    one for parameters on several devices or of an optimiser without such a kernel.

    Args:
        optimizer_cfg: Config of the optimiser.
        parameters: What it is to update.

    Returns:
        The config, with ``fused=True`` added where it works.
    """
    parameters = list(parameters)
    kind = optimizer_cfg['type']
    kind = OPTIMIZERS.get(kind) if isinstance(kind, str) else kind
    chosen = 'fused' in optimizer_cfg or 'foreach' in optimizer_cfg
    devices = {parameter.device for parameter in parameters}
    if chosen or len(devices) != 1 or 'fused' not in inspect.signature(kind).parameters:
        return optimizer_cfg
    # torch says in a step, and nowhere else, for which devices and types it has a kernel.
    device = devices.pop()
    types = {parameter.dtype for parameter in parameters}
    probes = [nn.Parameter(torch.zeros(1, dtype=dtype, device=device)) for dtype in types]
    for probe in probes:
        probe.grad = torch.zeros_like(probe)
    fused = dict(optimizer_cfg, fused=True)
    try:
        OPTIMIZERS.build(dict(fused, params=probes)).step()
    except RuntimeError:
        return optimizer_cfg
    return fused
