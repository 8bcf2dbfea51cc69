"""BlazePose on the LiteRT runtime."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from csipreid.pose_estimation.estimated_pose import EstimatedPose, needs
from csipreid.registry import TASK_UTILS
from csipreid.skeletons import get_layout

_BODY = 33  # landmarks of the body; the model has six more
_OUTPUTS = dict(landmarks=(1, 195), presence=(1, 1), world=(1, 117))


@TASK_UTILS.register_module()
class BlazePoseEstimator:
    """The landmark model of BlazePose, made for crops filled by one person.

    The crop is placed in the middle of a black square and scaled to the size of the model. The
    detector that MediaPipe runs before is not needed, and frames are independent: nothing is
    smoothed over time. Averaged with the pose of the mirrored crop, the lengths of a person's
    bones vary less.

    Source:
        Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", CVPR 2020
        workshop; Grishchenko et al., "BlazePose GHUM Holistic", CVPR 2022 workshop (metric
        3D). Model files come with MediaPipe, Apache-2.0.

    Args:
        model: A ``pose_landmark_*.tflite`` file.
        min_presence: Probability that there is a body, below which none was found, in [0, 1].
        margin: Side of the square over the longer side of the crop, at least 1.
        mirrored: Whether to average with the pose of the mirrored crop, for twice the time.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If LiteRT is not installed.
        ValueError: If the file is not such a model, or an argument is out of range.
    """

    layout = 'blazepose'

    def __init__(
        self,
        model: str | os.PathLike,
        min_presence: float = 0.5,
        margin: float = 1.4,
        mirrored: bool = True,
    ) -> None:
        if not os.path.isfile(model):
            raise FileNotFoundError(
                f'model {os.fspath(model)} not found; see README, "Skeletons", for where to get it'
            )
        if not 0 <= min_presence <= 1 or margin < 1:
            raise ValueError(
                'min_presence must be in [0, 1] and margin at least 1, '
                f'got {min_presence} and {margin}'
            )
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise ImportError(
                needs('ai-edge-litert', 'BlazePoseEstimator', "pip install 'csipreid[pose]'")
            ) from error
        self.min_presence = min_presence
        self.margin = margin
        self.mirrored = mirrored
        try:
            # One thread: processes share the work, and the numbers do not depend on the machine.
            with _without_notices():
                self._interpreter = Interpreter(os.fspath(model), num_threads=1)
                self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ValueError(f'{os.fspath(model)} is not a model that LiteRT reads') from error
        (entry,) = self._interpreter.get_input_details()
        self._input, self._size = entry['index'], int(entry['shape'][1])
        outputs = {tuple(o['shape']): o['index'] for o in self._interpreter.get_output_details()}
        if not set(_OUTPUTS.values()) <= set(outputs):
            raise ValueError(
                f'{os.fspath(model)} is not a landmark model of BlazePose: it gives '
                f'{sorted(outputs)}, which must hold {sorted(_OUTPUTS.values())}'
            )
        self._outputs = {name: outputs[shape] for name, shape in _OUTPUTS.items()}

    def __call__(self, crops: Sequence[np.ndarray]) -> list[EstimatedPose]:
        """Estimate the pose of the person in each crop.

        The confidence is the probability that there is a body.
        """
        return [self._estimate(crop) for crop in crops]

    def _estimate(self, crop: np.ndarray) -> EstimatedPose:
        """Estimate one pose."""
        image = place_in_square(crop, self._size, self.margin)
        presence, joints = self._run(image)
        if self.mirrored:
            other_presence, other = self._run(np.ascontiguousarray(image[:, ::-1]))
            order = list(get_layout(self.layout).flip_order)
            presence = (presence + other_presence) / 2
            joints = (joints + other[order] * np.array([-1, 1, 1], np.float32)) / 2
        return EstimatedPose(joints if presence >= self.min_presence else None, presence)

    def _run(self, image: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the probability of a body and its joints in metres, float32, (33, 3)."""
        self._interpreter.set_tensor(self._input, image[None].astype(np.float32) / 255)
        self._interpreter.invoke()
        presence = self._interpreter.get_tensor(self._outputs['presence'])
        world = self._interpreter.get_tensor(self._outputs['world'])
        return float(presence[0, 0]), world.reshape(-1, 3)[:_BODY].astype(np.float32)


@contextlib.contextmanager
def _without_notices() -> Iterator[None]:
    """Leave out what LiteRT tells of itself in every process, past Python's own streams."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        stream = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stream, 2)
            os.close(stream)
            kept.seek(0)
            for line in kept:
                if not line.startswith(b'INFO: '):
                    os.write(2, line)


def place_in_square(crop: np.ndarray, size: int, margin: float) -> np.ndarray:
    """Scale a crop into the middle of a black square.

    Args:
        crop: uint8, (H, W, 3).
        size: Side of the square in pixels.
        margin: Side of the square over the longer side of the crop.

    Returns:
        uint8, (size, size, 3).
    """
    height, width = crop.shape[:2]
    scale = size / (margin * max(height, width))
    # Pixel centres: the middle of the crop comes to the middle of the square.
    shift = (size - 1) / 2 - scale * np.array([width - 1, height - 1]) / 2
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    return cv2.warpAffine(crop, matrix, (size, size), flags=cv2.INTER_LINEAR)
