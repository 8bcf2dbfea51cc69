"""Any function as an estimator."""

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from csipreid.pose_estimation.estimated_pose import EstimatedPose
from csipreid.registry import TASK_UTILS
from csipreid.skeletons import get_layout


@TASK_UTILS.register_module()
class FunctionEstimator:
    """A function of one's own.

    It gets a list of crops (RGB, uint8, (H, W, 3)) and returns for each a pair of joints in
    metres, camera axes (x right, y down, z away), (V, 3), or None if there is no body, and a
    confidence in [0, 1].

    Args:
        function: ``package.module:name`` or ``path/to/file.py:name``.
        layout: Layout of the joints that it returns.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If there is no such function, or it returns something else.
    """

    def __init__(self, function: str, layout: str = 'h36m') -> None:
        self.layout = layout
        self.num_joints = get_layout(layout).num_joints
        self.name = function
        self._function = _load(function)

    def __call__(self, crops: Sequence[np.ndarray]) -> list[EstimatedPose]:
        """Call the function and check what it returns."""
        results = list(self._function(list(crops)))
        if len(results) != len(crops):
            raise ValueError(
                f'{self.name} must return one result per crop, got {len(results)} for {len(crops)}'
            )
        return [self._check(result) for result in results]

    def _check(self, result: tuple) -> EstimatedPose:
        """Refuse a result that is no pose."""
        try:
            joints, confidence = result
            confidence = float(confidence)
            joints = None if joints is None else np.asarray(joints, np.float32)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f'{self.name} must return pairs of joints and confidence, got {result!r}'
            ) from error
        if not 0 <= confidence <= 1:
            raise ValueError(f'{self.name} returned confidence {confidence}, it must be in [0, 1]')
        if joints is not None and joints.shape != (self.num_joints, 3):
            raise ValueError(
                f'{self.name} returned joints of shape {joints.shape}, layout {self.layout!r} '
                f'has {(self.num_joints, 3)}'
            )
        if joints is not None and not np.isfinite(joints).all():
            raise ValueError(f'{self.name} returned NaN; return None where there is no body')
        return EstimatedPose(joints, confidence)


def _load(function: str) -> Callable:
    """Import a function by its name."""
    place, _, name = function.rpartition(':')
    if not place:
        raise ValueError(f"function must be 'module:name' or 'file.py:name', got {function!r}")
    if place.endswith('.py'):
        if not Path(place).is_file():
            raise FileNotFoundError(f'{place} not found, the file of {function!r}')
        spec = importlib.util.spec_from_file_location(Path(place).stem, place)
        if spec is None or spec.loader is None:
            raise ValueError(f'{place} is not a Python file')
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    else:
        try:
            module = importlib.import_module(place)
        except ModuleNotFoundError as error:
            raise ValueError(f'module {place!r} of {function!r} not found') from error
    if not callable(getattr(module, name, None)):
        raise ValueError(f'{place} has no function {name!r}')
    return getattr(module, name)
