"""From arrays to the tensors and the data sample of one item."""

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from torch import Tensor

from csipreid.datasets.transforms.frames import stacked_frames
from csipreid.registry import TRANSFORMS
from csipreid.structures import ReIDDataSample


@TRANSFORMS.register_module()
class PackReIDInputs(BaseTransform):
    """Pack a clip into what a model receives.

    Required keys: ``frames`` (uint8, (T, H, W, 3)) or ``frame_features`` (float32, (T, D)), which
    a clip of skeletons alone lacks,
    ``frame_inds``, ``num_clips``, ``frame_paths``, ``pid``, ``camid``, ``label``, ``subset``;
    ``skeletons`` and ``skeleton_valid`` if skeletons were loaded.

    The result has two keys:

    - ``inputs``: ``frames`` (uint8, (T, 3, H, W), RGB), or ``frame_features`` (float32, (T, D))
      where those were loaded instead, and, if loaded, ``skeletons`` (float32, (T, V, 3));
      (N, T, ...) when the tracklet was cut into N clips by ``mode='dense'``;
    - ``data_samples``: a :class:`ReIDDataSample`, with ``skeleton_valid`` (bool array, (T,) or
      (N, T)) if skeletons were loaded.

    The frames are a view with the channels last in memory; nothing is copied.

    Raises:
        ValueError: If frames differ in size.
    """

    frame_change = 'none'

    def transform(self, results: dict) -> dict:
        """Pack one item."""
        shape = results['frame_inds'].shape
        if 'frame_features' in results:
            inputs = dict(frame_features=_tensor(results['frame_features'], shape))
        elif 'frames' not in results and 'skeletons' in results:
            inputs = {}
        else:
            frames = _tensor(stacked_frames(results, type(self).__name__), shape)
            inputs = dict(frames=frames.movedim(-1, -3))  # (..., 3, H, W)
        sample = ReIDDataSample(
            pid=results['pid'],
            camid=results['camid'],
            label=results['label'],
            subset=results['subset'],
            frame_paths=results['frame_paths'],
            num_clips=results['num_clips'],
        )
        if 'skeletons' in results:
            inputs['skeletons'] = _tensor(results['skeletons'], shape)
            # As an array, since a worker hands each tensor over with a file descriptor.
            sample.skeleton_valid = results['skeleton_valid'].reshape(shape)
        return dict(inputs=inputs, data_samples=sample)


def _tensor(array: np.ndarray, shape: tuple[int, ...]) -> Tensor:
    """Split the first axis of an array into clips and frames, as a tensor."""
    array = np.ascontiguousarray(array)  # torch takes no mirrored views; else no copy
    return torch.from_numpy(array.reshape(*shape, *array.shape[1:]))
