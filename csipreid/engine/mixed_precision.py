"""Mixed precision on any device."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from mmengine.device import get_device
from mmengine.dist import all_reduce
from mmengine.logging import MMLogger
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.runner import TestLoop
from torch import nn

from csipreid.registry import LOOPS, OPTIM_WRAPPERS

Precision = Literal['auto', 'float16', 'bfloat16']
PRECISIONS = ('auto', 'float16', 'bfloat16')


@OPTIM_WRAPPERS.register_module()
class MixedPrecisionOptimWrapper(AmpOptimWrapper):
    """Compute losses in mixed precision, on the device of the parameters.

    MMEngine's ``AmpOptimWrapper`` refuses a CPU. This one takes what
    :func:`choose_dtype` finds for the device. The loss is scaled, dynamically,
    for float16 alone; the other types have the exponents of float32.

    Source:
        Micikevicius et al., "Mixed Precision Training", ICLR 2018.

    Args:
        precision: Type of the matrix products; see :func:`choose_dtype`.
        **kwargs: Arguments of MMEngine's ``OptimWrapper``.
    """

    def __init__(self, precision: Precision = 'auto', **kwargs: Any) -> None:
        # Not AmpOptimWrapper's own, which is what refuses a CPU.
        OptimWrapper.__init__(self, **kwargs)
        device = self.optimizer.param_groups[0]['params'][0].device
        self.device_type = device.type
        self.cast_dtype = choose_dtype(precision, device.type)
        self.loss_scaler = torch.amp.GradScaler(
            device.type, enabled=self.cast_dtype is torch.float16
        )
        self._scale_update_param = None

    def load_state_dict(self, state_dict: dict) -> None:
        """Load the state; that of a run without loss scale starts a new scale."""
        if not state_dict.get('loss_scaler'):
            # A scaler in use does not take the empty state of one that was not.
            state_dict = {key: state_dict[key] for key in state_dict if key != 'loss_scaler'}
        super().load_state_dict(state_dict)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Compute a loss in mixed precision; skip synchronisation while accumulating."""
        with OptimWrapper.optim_context(self, model), autocast(self.device_type, self.cast_dtype):
            yield


@LOOPS.register_module()
class MixedPrecisionTestLoop(TestLoop):
    """Test in mixed precision, on the device of the run.

    Args:
        precision: Type of the matrix products; see :func:`choose_dtype`.
        **kwargs: Arguments of MMEngine's ``TestLoop``.
    """

    def __init__(self, precision: Precision = 'auto', **kwargs: Any) -> None:
        dtype = choose_dtype(precision, get_device())
        super().__init__(**kwargs, fp16=dtype is not torch.float32)
        self.dtype = dtype

    def run(self) -> dict:
        """Test; the loop of MMEngine knows one type a device, the default one."""
        device_type = get_device()
        default = torch.get_autocast_dtype(device_type)
        if self.fp16:
            torch.set_autocast_dtype(device_type, self.dtype)
        try:
            return super().run()
        finally:
            torch.set_autocast_dtype(device_type, default)


def autocast(device_type: str, dtype: torch.dtype) -> torch.autocast:
    """Return the context of mixed precision; that of float32 does nothing."""
    return torch.autocast(
        device_type, dtype=None if dtype is torch.float32 else dtype, enabled=dtype != torch.float32
    )


def check_precision(precision: str, device_type: str) -> None:
    """Refuse a precision that a device cannot compute in.

    Args:
        precision: One of ``PRECISIONS``.
        device_type: As in ``torch.device(...).type``.

    Raises:
        ValueError: If it is none of them, float16 on a CPU or bfloat16 on a GPU
            that does not have it.
    """
    if precision not in PRECISIONS:
        raise ValueError(f'precision must be one of {list(PRECISIONS)}, got {precision!r}')
    if precision == 'float16' and device_type == 'cpu':
        raise ValueError('float16 needs a GPU; on a CPU take bfloat16, or auto')
    on_gpu = device_type != 'cpu' and torch.cuda.is_available()
    if precision == 'bfloat16' and on_gpu and not torch.cuda.is_bf16_supported(False):
        raise ValueError('this GPU does not compute in bfloat16; take float16')


def choose_dtype(precision: str, device_type: str) -> torch.dtype:
    """Choose the type of the matrix products of a run, and log it.

    On a GPU 'auto' is float16, as in the published code. On a CPU it is bfloat16
    if the processor has instructions for it, and float32 otherwise, because without
    them bfloat16 is computed many times slower. Nothing is timed: the same machine
    always chooses the same. Of several processes one without the instructions
    decides for all.

    Args:
        precision: One of ``PRECISIONS``.
        device_type: As in ``torch.device(...).type``.

    Returns:
        ``torch.float16``, ``torch.bfloat16`` or, for no mixed precision,
        ``torch.float32``; the same one on all ranks.

    Raises:
        ValueError: If the device cannot compute in it.
    """
    check_precision(precision, device_type)
    logger = MMLogger.get_current_instance()
    if device_type != 'cpu':
        dtype = torch.bfloat16 if precision == 'bfloat16' else torch.float16
        logger.info(f'mixed precision: matrix products in {name_of(dtype)}')
        return dtype
    able = torch.tensor(int(has_bfloat16_instructions()))
    all_reduce(able, 'min')  # all ranks have to choose alike
    has = 'has' if able else 'has no'
    dtype = torch.bfloat16 if able or precision == 'bfloat16' else torch.float32
    say = logger.info if able else logger.warning
    say(
        f'mixed precision: this processor {has} instructions for bfloat16; with precision '
        f'{precision!r} matrix products are computed in {name_of(dtype)}'
        + (', which is slow without them' if not able and dtype is torch.bfloat16 else '')
    )
    return dtype


def has_bfloat16_instructions() -> bool:
    """Tell whether torch knows this processor to multiply matrices in bfloat16 by itself.

    These are the extensions AVX512-BF16, AMX-BF16 and the BF16 of ARM. Versions of torch
    that do not tell (before 2.10) count as without.
    """
    tell = getattr(torch.cpu, 'get_capabilities', dict)
    return any(present for name, present in tell().items() if 'bf16' in name)


def name_of(dtype: torch.dtype) -> str:
    """Return the name of a type as ``precision`` takes it, for example 'bfloat16'."""
    return str(dtype).removeprefix('torch.')


def precision_of(optim_wrapper: OptimWrapper) -> str:
    """Name the type that an optimiser wrapper lets losses be computed in."""
    if not isinstance(optim_wrapper, AmpOptimWrapper):
        return 'float32'
    dtype = optim_wrapper.cast_dtype
    return name_of(dtype) if dtype is not None else 'autocast'
