"""What an estimator says about one crop."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np


class EstimatedPose(NamedTuple):
    """The body in one crop of a person.

    Attributes:
        joints: Joint positions in metres, camera axes (x right, y down, z away from the
            camera), any origin, float32, (V, 3); None when no body was found.
        confidence: How sure the estimator is, in [0, 1].
    """

    joints: np.ndarray | None
    confidence: float


class PoseEstimator(Protocol):
    """What every estimator offers.

    Attributes:
        layout: Name of the joint layout of what it returns.
    """

    layout: str

    def __call__(self, crops: Sequence[np.ndarray]) -> list[EstimatedPose]:
        """Estimate the pose of the person in each crop.

        Args:
            crops: RGB, uint8, each (H, W, 3) of its own size, each filled by one person.

        Returns:
            One result per crop.
        """


def needs(package: str, estimator: str, how: str) -> str:
    """Return the message of an estimator whose library is not installed."""
    return f'{estimator} needs {package}, which is not installed; {how}'
