"""What the models of stage 1 have in common: an image encoder that does not train."""

from typing import Any

import torch
from torch import Tensor

from csipreid.models.cross_modal import image_embedding
from csipreid.models.reid_model import ReIDModel
from csipreid.registry import MODELS
from csipreid.structures import ReIDDataSample


class FrozenTowerModel(ReIDModel):
    """Base of models that learn beside a frozen image encoder.

    The image encoder keeps evaluation mode and has no gradients. So what it makes of a
    frame may be computed once and stored: batches with ``frame_features`` instead of
    ``frames`` do not run it.

    Args:
        image_encoder: Config of the image encoder.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: MMEngine initialisation.
    """

    def __init__(
        self,
        image_encoder: dict,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.image_encoder = MODELS.build(image_encoder)
        self.image_encoder.requires_grad_(False)

    def train(self, mode: bool = True) -> Any:
        """Set the training mode; the image encoder stays in evaluation mode."""
        super().train(mode)
        self.image_encoder.eval()
        return self

    @torch.no_grad()
    def extract_feat(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample] | None = None
    ) -> Tensor:
        """Embed clips by the frozen image encoder.

        Args:
            inputs: With ``frames``, float, (N, T, 3, H, W), or what
                :meth:`embed_frames` made of them, ``frame_features``, float, (N, T, D).
            data_samples: Unused; required by the interface.

        Returns:
            Mean projected global token, not normalised, float, (N, D).
        """
        if 'frame_features' in inputs:
            return inputs['frame_features'].mean(dim=1)
        return image_embedding(self.image_encoder, inputs['frames'])

    @torch.no_grad()
    def embed_frames(self, frames: Tensor) -> Tensor:
        """Embed single frames by the frozen image encoder.

        Args:
            frames: RGB in [0, 255], (N, 3, H, W), on any device.

        Returns:
            Projected global token of each frame, (N, D).
        """
        normalized = self.data_preprocessor.normalize(frames)
        return image_embedding(self.image_encoder, normalized[:, None])
