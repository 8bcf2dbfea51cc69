"""What skeletons would tell, seen in the frames."""

from csipreid.models.hallucination.skeleton_hallucinator import (
    HallucinatedSkeletons,
    SkeletonHallucinator,
)

__all__ = ['HallucinatedSkeletons', 'SkeletonHallucinator']
