"""What the models have in common whose image encoder is trained on tracklets."""

from abc import abstractmethod
from typing import Any

import torch
from mmengine.logging import MMLogger
from torch import Tensor

from csipreid.models.backbones import ImageTokens
from csipreid.models.cross_modal import CrossModalEmbeddings, clip_counts, image_embedding
from csipreid.models.reid_model import ReIDModel
from csipreid.registry import MODELS
from csipreid.structures import ReIDDataSample


class TrackletReID(ReIDModel):
    """Base of models that embed clips by an image encoder that they train.

    Args:
        num_ids: Number of training identities K.
        num_cams: Number of cameras in the training set.
        image_encoder: Config of the image encoder.
        identity_loss: Config of the loss on identity scores.
        triplet_loss: Config of the loss on features.
        camera_embedding: Config of the camera embedding; None leaves it out.
        max_clips: Clips that testing prepares and computes at a time; bounds its memory.
        flip_test: Whether a test embedding is the mean of those of a clip and of
            its mirror image, left and right exchanged.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: MMEngine initialisation.
    """

    def __init__(
        self,
        num_ids: int,
        num_cams: int,
        image_encoder: dict,
        identity_loss: dict,
        triplet_loss: dict,
        camera_embedding: dict | None = None,
        max_clips: int = 64,
        flip_test: bool = False,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        if max_clips < 1:
            raise ValueError(f'max_clips must be positive, got {max_clips}')
        self.num_ids = num_ids
        self.num_cams = num_cams
        self.max_clips = max_clips
        self.flip_test = flip_test
        self._warned_of_cameras = False
        self.image_encoder = MODELS.build(image_encoder)
        self.camera_embedding: Any = None
        if camera_embedding is not None:
            self.camera_embedding = MODELS.build(
                camera_embedding,
                default_args=dict(num_cams=num_cams, dim=self.image_encoder.feat_dim),
            )
        self.identity_loss = MODELS.build(identity_loss)
        self.triplet_loss = MODELS.build(triplet_loss)

    def extract_feat(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample] | None = None
    ) -> Tensor:
        """Embed clips by their frames alone.

        Args:
            inputs: With ``frames``, float, (N, T, 3, H, W).
            data_samples: Give ``camid`` and ``num_clips``; without them the
                cameras are unknown. So is a camera that the model has not
                seen, which the log says once.

        Returns:
            The features of :meth:`test_features` side by side, not normalised,
            float, (N, sum of their widths); with ``flip_test`` the mean over the
            clip and its mirror image.
        """
        frames = inputs['frames']
        camids = None  # a list would fix the number of clips in an exported graph
        if data_samples is not None:
            counts = clip_counts(data_samples, len(frames))
            camids = [
                self._known_camera(sample.get('camid', -1))
                for sample, count in zip(data_samples, counts, strict=True)
                for _ in range(count)
            ]
        embeddings = self._embed(frames, camids)
        if self.flip_test:
            embeddings = (embeddings + self._embed(frames.flip(-1), camids)) / 2
        return embeddings

    @abstractmethod
    def test_features(self, image: ImageTokens) -> list[Tensor]:
        """Return the features by which N clips are found, float, (N, ·) each.

        Args:
            image: Tokens as :meth:`encode_frames` gives them.
        """

    def _embed(self, frames: Tensor, camids: list[int] | None) -> Tensor:
        """Embed clips (N, T, 3, H, W), (N, D)."""
        return torch.cat(self.test_features(self.encode_frames(frames, camids)), dim=1)

    def extract_pair(self, inputs: dict[str, Tensor]) -> CrossModalEmbeddings:
        """Embed the images of B clips, without the camera embedding; no skeleton is found."""
        image = image_embedding(self.image_encoder, inputs['frames'])
        valid = torch.zeros(len(image), dtype=torch.bool, device=image.device)
        return CrossModalEmbeddings(image, torch.zeros_like(image), valid)

    def encode_frames(self, frames: Tensor, camids: list[int] | None) -> ImageTokens:
        """Encode B clips.

        Args:
            frames: Normalised RGB, float, (B, T, 3, H, W).
            camids: Camera of each clip, -1 if unknown; None if all are.

        Returns:
            Tokens (B, T, L, ·), maps (B * T, C, h, w) and early tokens (B, T, ·).
        """
        offset = None
        if self.camera_embedding is not None:
            offset = self.camera_embedding(camids)  # (B, W), for None (1, W)
            if camids is not None:
                offset = offset.repeat_interleave(frames.shape[1], dim=0)  # (B * T, W)
        image = self.image_encoder(frames.flatten(0, 1), offset)
        tokens, projected = (part.unflatten(0, frames.shape[:2]) for part in image[:2])
        early = None if image.early is None else image.early.unflatten(0, frames.shape[:2])
        return ImageTokens(tokens, projected, image.maps, early)

    def _known_camera(self, camid: int) -> int:
        """Return the camera, or -1 if the model has not seen it."""
        if camid < self.num_cams:
            return camid
        if self.camera_embedding is not None and not self._warned_of_cameras:
            self._warned_of_cameras = True
            MMLogger.get_current_instance().warning(
                f'camera {camid + 1} and perhaps others were not in training, which had '
                f'{self.num_cams}: their embedding is the mean of the known ones'
            )
        return -1
