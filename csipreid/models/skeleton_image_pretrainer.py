"""Stage 1: align skeletons with a frozen image encoder."""

from typing import Literal

import torch
from mmengine.model import BaseModel
from torch import Tensor

from csipreid.models.cross_modal import (
    CrossModalEmbeddings,
    clip_counts,
    image_embedding,
    labels_of,
    mean_over_clips,
    skeleton_tokens,
)
from csipreid.registry import MODELS
from csipreid.structures import ReIDDataSample


@MODELS.register_module()
class SkeletonImagePretrainer(BaseModel):
    """Train a skeleton encoder to agree with a frozen image encoder.

    The image encoder never trains: it keeps evaluation mode and has no
    gradients. A clip without a skeleton is left out of the loss.

    Source:
        CSIP-ReID (arXiv:2511.13150), contrastive skeleton-image pretraining.

    Args:
        image_encoder: Config of the image encoder.
        skeleton_encoder: Config of the skeleton encoder.
        loss: Config of the loss between the two embeddings.
        skeleton_head: Config of the projection; its widths come from the
            encoders. None is a ``SkeletonProjectionHead``.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: MMEngine initialisation.
    """

    def __init__(
        self,
        image_encoder: dict,
        skeleton_encoder: dict,
        loss: dict,
        skeleton_head: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        if data_preprocessor is not None:
            data_preprocessor = MODELS.build(data_preprocessor)
        super().__init__(data_preprocessor, init_cfg)
        self.image_encoder = MODELS.build(image_encoder)
        self.image_encoder.requires_grad_(False)
        self.skeleton_encoder = MODELS.build(skeleton_encoder)
        self.skeleton_head = MODELS.build(
            skeleton_head or dict(type='SkeletonProjectionHead'),
            default_args=dict(
                in_dim=self.skeleton_encoder.embed_dim, embed_dim=self.image_encoder.embed_dim
            ),
        )
        self.contrastive_loss = MODELS.build(loss)
        self.train(self.training)

    def train(self, mode: bool = True) -> 'SkeletonImagePretrainer':
        """Set the training mode; the image encoder stays in evaluation mode."""
        super().train(mode)
        self.image_encoder.eval()
        return self

    def forward(
        self,
        inputs: dict[str, Tensor],
        data_samples: list[ReIDDataSample] | None = None,
        mode: Literal['tensor', 'loss', 'predict'] = 'tensor',
    ) -> CrossModalEmbeddings | dict[str, Tensor] | list[ReIDDataSample]:
        """Run the model on a batch of the data preprocessor.

        Args:
            inputs: ``frames`` (B, T, 3, H, W), ``skeletons`` (B, T, V, 3) and
                ``skeleton_valid`` (B, T).
            data_samples: One per tracklet.
            mode: 'tensor' returns :meth:`extract_pair`, 'loss' a dict of
                losses, 'predict' the samples with their embeddings.

        Raises:
            ValueError: If the mode is another, or samples are missing.
        """
        if mode == 'tensor':
            return self.extract_pair(inputs)
        if mode not in ('loss', 'predict'):
            raise ValueError(f"mode must be 'tensor', 'loss' or 'predict', got {mode!r}")
        if data_samples is None:
            raise ValueError(f'mode {mode!r} needs data_samples')
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        return self.predict(inputs, data_samples)

    def extract_image(self, frames: Tensor) -> Tensor:
        """Embed clips (B, T, 3, H, W) by the frozen image encoder, (B, D)."""
        with torch.no_grad():
            return image_embedding(self.image_encoder, frames)

    def extract_pair(self, inputs: dict[str, Tensor]) -> CrossModalEmbeddings:
        """Embed both modalities of B clips."""
        tokens, valid = skeleton_tokens(self.skeleton_encoder, self.skeleton_head, inputs)
        return CrossModalEmbeddings(
            image=self.extract_image(inputs['frames']),
            skeleton=self.skeleton_head.pool(tokens, valid),
            valid=valid.any(dim=1),
        )

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample]
    ) -> dict[str, Tensor]:
        """Return ``loss_contrastive`` of the batch, shape ()."""
        labels = labels_of(data_samples, inputs['frames'].device)
        pair = self.extract_pair(inputs)
        return dict(
            loss_contrastive=self.contrastive_loss(pair.skeleton, pair.image, labels, pair.valid)
        )

    def predict(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample]
    ) -> list[ReIDDataSample]:
        """Write ``embedding`` and ``image_embedding``, and what the skeletons give.

        Both are the image's embedding. With skeletons in the batch each sample
        also gets ``has_skeleton`` and ``skeleton_embedding`` (zero without one).
        """
        counts = clip_counts(data_samples, len(inputs['frames']))
        images = mean_over_clips(self.extract_image(inputs['frames']), counts)
        for sample, image in zip(data_samples, images, strict=True):
            sample.embedding = sample.image_embedding = image
        if 'skeletons' not in inputs:
            return data_samples

        tokens, valid = skeleton_tokens(self.skeleton_encoder, self.skeleton_head, inputs)
        clips = self.skeleton_head.pool(tokens, valid)  # (N, D)
        weights = valid.any(dim=1).to(clips.dtype)[:, None]  # (N, 1)
        share = mean_over_clips(weights, counts)  # (B, 1)
        skeletons = mean_over_clips(clips * weights, counts) / share.clamp(min=1e-6)
        found = (share[:, 0] > 0).tolist()
        for sample, skeleton, has_skeleton in zip(data_samples, skeletons, found, strict=True):
            sample.skeleton_embedding = skeleton
            sample.has_skeleton = has_skeleton
        return data_samples
