"""From other layouts to Human3.6M, as weighted means of joints.

The wanted joints are the 17 of 'h36m'. Where a layout has a joint of the same name it is
taken. The others are put together from joints that the layout has:

- ``pelvis``: middle of the hips; ``thorax``: middle of the shoulders; ``spine``: middle of
  pelvis and thorax. Where Kinect measures them they are taken.
- ``neck``, which lies at the nose, and ``head``, its top: by height above the shoulders. With
  the stature as the unit, shoulders lie at 0.818, the nose at 0.905, eyes and ears at 0.936 and
  the top of the head at 1 (Drillis and Contini, "Body Segment Parameters", 1966, as in Winter,
  "Biomechanics and Motor Control of Human Movement", 2009, figure 4.1; the nose is the middle
  of chin, 0.870, and eyes, rounded up). A point at height h on the line from the thorax to the
  middle of the ears is hence ``thorax + (h - 0.818) / (0.936 - 0.818) * (ears - thorax)``.
  Kinect's ``head`` is the middle of the head, at the height of the eyes. SMPL's ``head`` is the
  joint below the skull, at the height of the nose.

Layouts with a nose take it for ``neck``. This differs from the usual table for COCO (Zhu et
al., "MotionBERT", ICCV 2023) in ``head`` alone, for which that takes the middle of the eyes.
SMPL's joints are not those that Human3.6M regresses from its surface: hips lie lower by some
centimetres. HMR 2.0 gives the regressed ones, see ``HMR2Estimator``.
"""

import numpy as np

from csipreid.skeletons.layouts import get_layout

_SHOULDER, _NOSE, _EYE, _TOP = 0.818, 0.905, 0.936, 1.0  # heights, stature 1

Weights = dict[str, float]


def _middle(*joints: str) -> Weights:
    """Return the mean of some joints."""
    return {joint: 1 / len(joints) for joint in joints}


def _above(thorax: Weights, reference: Weights, reference_height: float, height: float) -> Weights:
    """Return the point at a height on the line from the thorax through a reference point."""
    share = (height - _SHOULDER) / (reference_height - _SHOULDER)
    weights = {joint: (1 - share) * weight for joint, weight in thorax.items()}
    for joint, weight in reference.items():
        weights[joint] = weights.get(joint, 0) + share * weight
    return weights


_PELVIS = _middle('left_hip', 'right_hip')
_THORAX = _middle('left_shoulder', 'right_shoulder')
_SPINE = _middle('left_hip', 'right_hip', 'left_shoulder', 'right_shoulder')
_EARS = _middle('left_ear', 'right_ear')
_FACE = dict(
    pelvis=_PELVIS,
    thorax=_THORAX,
    spine=_SPINE,
    neck=_middle('nose'),
    head=_above(_THORAX, _EARS, _EYE, _TOP),
)
_KINECT = dict(
    neck=_above(_middle('thorax'), _middle('head'), _EYE, _NOSE),
    head=_above(_middle('thorax'), _middle('head'), _EYE, _TOP),
)
# Layout -> joints that are not simply the joint of the same name.
_DERIVED: dict[str, dict[str, Weights]] = dict(
    h36m={},
    coco=_FACE,
    blazepose=_FACE,
    smpl=dict(
        thorax=_THORAX,
        spine=_middle('spine2'),
        neck=_middle('head'),
        head=_above(_THORAX, _middle('head'), _NOSE, _TOP),
    ),
    kinect20=_KINECT,
    kinect25=_KINECT,
    casia14=dict(
        pelvis=_PELVIS,
        spine=_SPINE,
        neck=_middle('head'),
        head=_above(_middle('thorax'), _middle('head'), _NOSE, _TOP),
    ),
    # Its neck is Kinect's, at the height of the shoulders or above; their middle is measured.
    ucalgary18=dict(
        thorax=_THORAX,
        neck=_above(_THORAX, _middle('head'), _EYE, _NOSE),
        head=_above(_THORAX, _middle('head'), _EYE, _TOP),
    ),
)


def mapping_matrix(layout: str) -> np.ndarray:
    """Return the weights that make each joint of 'h36m' from the joints of a layout.

    Args:
        layout: Name of the layout, with V joints.

    Returns:
        Weights, each row adding up to 1, float64, (17, V).

    Raises:
        ValueError: If the layout is unknown, or it was registered and lacks a joint.
    """
    source, target = get_layout(layout), get_layout('h36m')
    matrix = np.zeros((target.num_joints, source.num_joints))
    for row, joint in enumerate(target.joints):
        for name, weight in _DERIVED.get(layout, {}).get(joint, {joint: 1.0}).items():
            if name not in source.joints:
                raise ValueError(
                    f"layout {layout!r} has no joint {name!r}, so it cannot be mapped to 'h36m'"
                )
            matrix[row, source.joints.index(name)] = weight
    return matrix


def to_h36m(skeletons: np.ndarray, layout: str) -> np.ndarray:
    """Map skeletons of any known layout to the 17 joints of 'h36m'.

    Args:
        skeletons: Joint positions, any unit, float, (..., V, 3).
        layout: Name of their layout.

    Returns:
        Joint positions, same unit, same type, (..., 17, 3).

    Raises:
        ValueError: If the number of joints is not that of the layout.
    """
    matrix = mapping_matrix(layout)
    if skeletons.ndim < 2 or skeletons.shape[-2] != matrix.shape[1]:
        raise ValueError(
            f'layout {layout!r} has {matrix.shape[1]} joints, got skeletons of shape '
            f'{skeletons.shape}'
        )
    return (matrix @ skeletons).astype(skeletons.dtype)
