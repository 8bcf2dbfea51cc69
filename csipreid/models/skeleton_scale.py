"""Size of skeletons, and skeletons without it."""

from torch import Tensor

from csipreid.skeletons import Layout


def mean_bone_length(skeletons: Tensor, layout: Layout) -> Tensor:
    """Average the lengths of each skeleton's bones.

    Args:
        skeletons: Joint positions, any unit, float, (..., V, C).
        layout: Which joints are connected.

    Returns:
        In the unit of the positions, at least 1e-3 (where all joints are in one
        place), float, (...).
    """
    parents, children = (list(ends) for ends in zip(*layout.bones, strict=True))
    bones = skeletons[..., children, :] - skeletons[..., parents, :]
    return bones.norm(dim=-1).mean(dim=-1).clamp(min=1e-3)


def without_scale(skeletons: Tensor, layout: Layout) -> Tensor:
    """Divide each skeleton (..., V, C) by its mean bone length."""
    return skeletons / mean_bone_length(skeletons, layout)[..., None, None]
