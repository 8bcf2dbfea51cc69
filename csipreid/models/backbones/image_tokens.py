"""What every image encoder returns."""

from typing import NamedTuple

from torch import Tensor


class ImageTokens(NamedTuple):
    """Tokens of N frames; token 0 stands for the whole frame.

    Attributes:
        tokens: Features, float, (N, L, W) with W the encoder's ``feat_dim``.
        projected: The same tokens in the space shared with skeletons and
            prototypes, float, (N, L, D) with D the encoder's ``embed_dim``.
        maps: Feature maps, the finest first, float, (N, C, h, w) each, with C
            the encoder's ``map_channels``; none where it has no maps.
        early: Global token before the last layer or stage, without norm, float,
            (N, W') with a width of its own; None where the encoder has none.
    """

    tokens: Tensor
    projected: Tensor
    maps: tuple[Tensor, ...] = ()
    early: Tensor | None = None
