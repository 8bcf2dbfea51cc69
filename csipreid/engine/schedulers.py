"""Learning-rate schedules that MMEngine does not have."""

import math
from typing import Any

from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler

from csipreid.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class WarmupCosineLR(LRSchedulerMixin, _ParamScheduler):
    """Linear warm-up that cuts into a cosine over the whole run.

    In epoch ``e = 1 … total`` the rate is the base rate times ::

        start + (1 - start) e / warmup                     for e < warmup
        end + (1 - end) (1 + cos(pi e / total)) / 2        otherwise

    Unlike MMEngine's ``LinearLR`` followed by ``CosineAnnealingLR``, the cosine
    is not delayed by the warm-up, as in the stage-1 schedule of CSIP-ReID (which
    takes it from timm's ``CosineLRScheduler``).

    Args:
        optimizer: Optimiser or its wrapper.
        total: Length of the cosine, in epochs.
        warmup: Length of the warm-up, in epochs.
        start_factor: Factor that the warm-up starts from, in [0, 1].
        end_factor: Factor at the end of the cosine, in [0, 1].
        **kwargs: ``last_step``, ``by_epoch``, ``verbose`` of MMEngine's schedulers.

    Raises:
        ValueError: If ``warmup`` is longer than ``total``.
    """

    def __init__(
        self,
        optimizer: Any,
        total: int,
        warmup: int = 0,
        start_factor: float = 0.0,
        end_factor: float = 0.0,
        **kwargs: Any,
    ) -> None:
        if not 0 <= warmup <= total:
            raise ValueError(f'warmup must be in [0, total={total}], got {warmup}')
        self.total = total
        self.warmup = warmup
        self.start_factor = start_factor
        self.end_factor = end_factor
        super().__init__(optimizer, **kwargs)

    @classmethod
    def build_iter_from_epoch(
        cls,
        optimizer: Any,
        *,
        total: int,
        epoch_length: int,
        warmup: int = 0,
        **kwargs: Any,
    ) -> 'WarmupCosineLR':
        """Build the schedule per iteration from lengths in epochs."""
        kwargs['by_epoch'] = False
        return cls(optimizer, total * epoch_length, warmup * epoch_length, **kwargs)

    def _get_value(self) -> list[float]:
        """Return the rates of the coming epoch, in closed form."""
        epoch = self.last_step + 1
        if epoch < self.warmup:
            factor = self.start_factor + (1 - self.start_factor) * epoch / self.warmup
        else:
            cosine = (1 + math.cos(math.pi * min(epoch, self.total) / self.total)) / 2
            factor = self.end_factor + (1 - self.end_factor) * cosine
        return [base * factor for base in self.base_values]
