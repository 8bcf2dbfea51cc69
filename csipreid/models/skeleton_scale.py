"""Size of skeletons, and skeletons without it."""

from torch import Tensor

from csipreid.skeletons import Layout

# Mean bone lengths that a box around an upright person is high and wide: about 1.9 m and 0.9 m
# at 27 cm.
BOX_HEIGHT, BOX_WIDTH = 7.0, 3.3


def bone_lengths(skeletons: Tensor, layout: Layout) -> Tensor:
    """Measure each skeleton's bones.

    Args:
        skeletons: Joint positions, any unit, float, (..., V, C).
        layout: Which joints are connected.

    Returns:
        In the unit of the positions, in the order of the layout's bones, float, (..., V - 1).
    """
    parents, children = (list(ends) for ends in zip(*layout.bones, strict=True))
    return (skeletons[..., children, :] - skeletons[..., parents, :]).norm(dim=-1)


def mean_bone_length(skeletons: Tensor, layout: Layout) -> Tensor:
    """Average the lengths of each skeleton's bones.

    Args:
        skeletons: Joint positions, any unit, float, (..., V, C).
        layout: Which joints are connected.

    Returns:
        In the unit of the positions, at least 1e-3 (where all joints are in one
        place), float, (...).
    """
    return bone_lengths(skeletons, layout).mean(dim=-1).clamp(min=1e-3)


def without_scale(skeletons: Tensor, layout: Layout) -> Tensor:
    """Divide each skeleton (..., V, C) by its mean bone length."""
    return skeletons / mean_bone_length(skeletons, layout)[..., None, None]
