"""Decisions that all processes of a run share."""

from collections.abc import Callable
from typing import TypeVar

from mmengine.dist import broadcast_object_list, get_rank

T = TypeVar('T')


def from_first_rank(function: Callable[[], T]) -> T:
    """Return what a function gives on the first rank, on all of them.

    Args:
        function: Called on the first rank only; its result can be pickled.

    Raises:
        Exception: What the function raises, on all ranks.
    """
    result: list = [None, None]
    if get_rank() == 0:
        try:
            result[0] = function()
        except Exception as error:
            result[1] = error
    broadcast_object_list(result)
    if result[1] is not None:
        raise result[1]
    return result[0]
