"""What the losses of stage 2 are computed from."""

from typing import NamedTuple

from torch import Tensor


class TrainingOutputs(NamedTuple):
    """Features and scores of B clips.

    Attributes:
        features: Mean global token (B, W), its projection (B, P) and the
            temporal feature (B, W), float, before the necks.
        scores: Identity logits of each of them, float, (B, K).
        frame_scores: Identity logits of single frames, float, (B, T, K), or
            None without a frame loss.
        prototypes: Prototypes as seen by each clip, float, (B, K, P), or None
            without a prototype updater.
        joints: Skeletons as seen in the frames, float, (B, T, V, 3), or None
            without a joint head.
    """

    features: list[Tensor]
    scores: list[Tensor]
    frame_scores: Tensor | None
    prototypes: Tensor | None
    joints: Tensor | None
