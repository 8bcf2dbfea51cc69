"""Mixed precision on any device, and the question whether it pays there."""

import functools
import time
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

_SIZE = 256  # rows of the matrices that are multiplied to compare precisions


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
    """Choose the type of the matrix products of a run.

    On a GPU 'auto' is float16, as in the published code. On a CPU it is bfloat16
    if that is faster there than float32, and float32 otherwise: a CPU without the
    instructions for bfloat16 computes it many times slower. The log warns of it,
    also where bfloat16 was asked for.

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
    if device_type != 'cpu':
        return torch.bfloat16 if precision == 'bfloat16' else torch.float16
    slowdown = torch.tensor(bfloat16_slowdown())
    all_reduce(slowdown, 'max')  # all ranks have to choose alike
    if slowdown < 1:
        return torch.bfloat16
    consequence = (
        'it is used because it was asked for; without --amp the run would be faster'
        if precision == 'bfloat16'
        else 'therefore everything is computed in float32'
    )
    MMLogger.get_current_instance().warning(
        f'on this CPU a matrix product takes {slowdown:.3g} times as long in bfloat16 as in '
        f'float32; {consequence}'
    )
    return torch.bfloat16 if precision == 'bfloat16' else torch.float32


@functools.cache
def bfloat16_slowdown() -> float:
    """Measure how many times longer a matrix product takes in bfloat16 on this CPU.

    One product of two 256 x 256 matrices on one thread, in each type, after one to
    warm up; some hundredths of a second where bfloat16 is slow. The processor time
    counts, so that other programs on the machine do not.

    Returns:
        Time in bfloat16 over time in float32; below 1 where bfloat16 is faster.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _product_time(torch.bfloat16) / _product_time(torch.float32)
    finally:
        torch.set_num_threads(threads)


def _product_time(dtype: torch.dtype) -> float:
    """Time one matrix product, in seconds of this thread."""
    matrix = torch.ones(_SIZE, _SIZE, dtype=dtype)
    matrix @ matrix
    start = time.thread_time()
    matrix @ matrix
    return time.thread_time() - start
