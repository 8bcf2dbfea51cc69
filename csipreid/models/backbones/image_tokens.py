"""What every image encoder returns."""

from typing import NamedTuple

from torch import Tensor


class ImageTokens(NamedTuple):
    """Tokens of N frames; token 0 stands for the whole frame.

    Attributes:
        tokens: Features, float, (N, L, W) with W the encoder's ``feat_dim``.
        projected: The same tokens in the space shared with skeletons and
            prototypes, float, (N, L, D) with D the encoder's ``embed_dim``.
    """

    tokens: Tensor
    projected: Tensor
