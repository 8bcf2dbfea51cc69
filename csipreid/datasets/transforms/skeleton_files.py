"""Reading the skeleton of a frame from its file."""

import json
from collections.abc import Iterable

import numpy as np

from csipreid.datasets.transforms.file_listing import find_missing


class JSONSkeletonReader:
    """Reader of one JSON file per frame, ``{"keypoints": [[x, y, z], ...]}``, in metres.

    Another reader with the same two methods can take its place.

    Args:
        num_joints: Joints per skeleton, V.
    """

    def __init__(self, num_joints: int) -> None:
        self.num_joints = num_joints

    def read(self, path: str) -> np.ndarray | None:
        """Read one skeleton.

        Returns:
            Joint positions in metres, float32, (V, 3); None when there is none: no file, an
            empty list of joints, or all coordinates zero.

        Raises:
            ValueError: If the file holds anything else.
        """
        try:
            with open(path, 'rb') as file:
                content = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            joints = np.array(json.loads(content)['keypoints'], dtype=np.float32)
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(
                f'{path} is not a skeleton file: it must hold JSON with "keypoints", '
                f'{self.num_joints} x 3 numbers ({error!r}); extract it again or delete it'
            ) from error
        if joints.size == 0:
            return None
        if joints.shape != (self.num_joints, 3):
            raise ValueError(
                f'{path} must hold {self.num_joints} x 3 numbers, got shape {joints.shape}; '
                'check the layout that the skeletons were extracted with'
            )
        if not np.isfinite(joints).all():
            raise ValueError(f'{path} holds NaN or infinite coordinates; extract it again')
        return joints if joints.any() else None

    def find_missing(self, paths: Iterable[str]) -> list[str]:
        """Return the paths of the skeletons that do not exist, without reading them."""
        return find_missing(paths)
