"""The JSON file of one frame's skeleton."""

import json
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np


class SkeletonFileError(ValueError):
    """A skeleton file that holds something else.

    Args:
        kind: What is wrong: the file is 'broken', holds other 'joints', or 'nan'.
        message: The whole sentence.
    """

    def __init__(self, kind: Literal['broken', 'joints', 'nan'], message: str) -> None:
        super().__init__(message)
        self.kind = kind


def read_skeleton_file(path: str, num_joints: int) -> tuple[np.ndarray, float] | None:
    """Read the JSON file of one frame.

    Args:
        path: The file.
        num_joints: Joints that it must have, V.

    Returns:
        Joint positions in metres, float32, (V, 3), and the confidence in [0, 1], NaN if the
        file does not say; None when there is no skeleton.

    Raises:
        SkeletonFileError: If the file holds anything but a skeleton.
    """
    try:
        with open(path, 'rb') as file:
            text = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        content = json.loads(text)
        numbers = np.array(content['keypoints'])
        confidence = content.get('confidence', np.nan)
        if numbers.dtype.kind == 'O' and None in numbers.ravel().tolist():
            numbers = numbers.astype(np.float64)  # null is not a number: NaN
        # Of texts, NumPy would make numbers.
        if numbers.dtype.kind not in 'iuf' or isinstance(confidence, bool | str):
            raise TypeError(f'got {numbers.dtype} and a confidence of {confidence!r:.40}')
        with np.errstate(over='ignore'):
            joints = numbers.astype(np.float32)
        confidence = float(confidence)
    except (
        ArithmeticError,
        AttributeError,
        KeyError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise SkeletonFileError(
            'broken',
            f'{path} is not a skeleton file: it must hold JSON with "keypoints", '
            f'{num_joints} x 3 numbers ({error!r}); extract it again or delete it',
        ) from error
    if 'confidence' in content and not 0 <= confidence <= 1:
        raise SkeletonFileError(
            'broken', f'{path}: the confidence must be in [0, 1], got {confidence}'
        )
    if joints.size == 0:
        return None
    if joints.shape != (num_joints, 3):
        raise SkeletonFileError(
            'joints',
            f'{path} must hold {num_joints} x 3 numbers, got shape {joints.shape}; '
            'check the layout that the skeletons were extracted with',
        )
    if not np.isfinite(joints).all():
        raise SkeletonFileError(
            'nan', f'{path} holds NaN or infinite coordinates; extract it again'
        )
    return (joints, confidence) if joints.any() else None


def write_skeleton_file(
    path: str | os.PathLike,
    joints: np.ndarray | None,
    confidence: float,
    origin: dict[str, str] | None = None,
) -> None:
    """Write the JSON file of one frame under a temporary name, then rename it.

    The folder is made if it does not exist. The temporary name is always the same, so that
    what a killed process left is overwritten by the next.

    Args:
        path: The file.
        joints: Joint positions in metres, float32, (V, 3); None when no body was found, which
            is written as an empty list.
        confidence: In [0, 1].
        origin: What it was made from, see :func:`read_origin`; None to leave that out.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # As short as float32 numbers can be written without loss.
    rows = [] if joints is None else [[float(str(x)) for x in row] for row in np.float32(joints)]
    content: dict[str, Any] = dict(keypoints=rows, confidence=round(float(confidence), 4))
    if origin is not None:
        content['origin'] = origin
    partial = path.with_name(f'{path.name}.partial')
    partial.write_text(json.dumps(content, separators=(',', ':')) + '\n', encoding='utf-8')
    os.replace(partial, path)


def read_origin(path: str | os.PathLike) -> dict[str, str] | None:
    """Read what the skeleton of a file was made from; None if there is no file.

    An empty dict stands for a file that does not say, one of another tool or a broken one.
    """
    try:
        with open(path, 'rb') as file:
            content = json.load(file)
        origin = content['origin']
        return {str(key): str(value) for key, value in origin.items()}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
