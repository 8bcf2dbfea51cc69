"""A baseline without training: colour histograms."""

import torch
from torch import Tensor

from csipreid.models.reid_model import ReIDModel
from csipreid.registry import MODELS
from csipreid.structures import ReIDDataSample


@MODELS.register_module()
class ColorHistogramReID(ReIDModel):
    """Describe a tracklet by the colours of its horizontal stripes.

    Of each stripe of a frame the joint RGB histogram is taken, then its square
    root, which makes the dot product of two stripes their Bhattacharyya
    coefficient. The embedding is the mean over frames. It shows how much of a
    data set colour alone can tell; nothing is trained.

    The frames must be plain RGB values in [0, 255]: give the preprocessor
    ``mean=[0, 0, 0], std=[1, 1, 1]``.

    Args:
        num_bins: Bins per colour channel.
        num_stripes: Horizontal stripes of a frame.
        data_preprocessor: Config of the data preprocessor.
    """

    def __init__(
        self, num_bins: int = 8, num_stripes: int = 6, data_preprocessor: dict | None = None
    ) -> None:
        super().__init__(data_preprocessor)
        if not 1 <= num_bins <= 256 or num_stripes < 1:
            raise ValueError(
                'num_bins must be in [1, 256] and num_stripes at least 1, got '
                f'{num_bins} and {num_stripes}'
            )
        self.num_bins = num_bins
        self.num_stripes = num_stripes

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample]
    ) -> dict[str, Tensor]:
        """Refuse to train.

        Raises:
            ValueError: Always.
        """
        raise ValueError('ColorHistogramReID has nothing to train; test it without a checkpoint')

    def extract_feat(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample] | None = None
    ) -> Tensor:
        """Describe clips.

        Args:
            inputs: With ``frames``, float in [0, 255], (N, T, 3, H, W).
            data_samples: Unused; required by the interface.

        Returns:
            Float, (N, ``num_stripes * num_bins**3``).

        Raises:
            ValueError: If a value of the frames lies outside [0, 255].
        """
        frames = inputs['frames']
        if frames.amin() < 0 or frames.amax() > 255:
            raise ValueError(
                'frames must be RGB values in [0, 255], got '
                f'[{frames.amin():.3g}, {frames.amax():.3g}]; give the data preprocessor '
                'mean=[0, 0, 0] and std=[1, 1, 1]'
            )
        histograms = self._histograms(frames.flatten(0, 1))  # (N * T, bins)
        return histograms.sqrt().unflatten(0, frames.shape[:2]).mean(dim=1)

    def _histograms(self, frames: Tensor) -> Tensor:
        """Count the colours of each stripe of (M, 3, H, W); shares of the pixels, (M, bins)."""
        levels = (frames * (self.num_bins / 256)).long()  # (M, 3, H, W)
        red, green, blue = levels.unbind(dim=1)
        color = (red * self.num_bins + green) * self.num_bins + blue  # (M, H, W)
        rows = torch.arange(frames.shape[2], device=frames.device)
        stripe = rows * self.num_stripes // frames.shape[2]  # (H,)
        place = (stripe[:, None] * self.num_bins**3 + color).flatten(1)  # (M, H * W)
        counts = frames.new_zeros(len(frames), self.num_stripes * self.num_bins**3)
        counts.scatter_add_(1, place, torch.ones_like(place, dtype=frames.dtype))
        return counts / place.shape[1]
