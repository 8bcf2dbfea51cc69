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
    """

    tokens: Tensor
    projected: Tensor
    maps: tuple[Tensor, ...] = ()
