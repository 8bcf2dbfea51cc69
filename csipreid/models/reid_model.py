"""What all models have in common: modes, and embeddings of tracklets."""

from abc import abstractmethod
from typing import Literal

import torch
from mmengine.model import BaseModel
from torch import Tensor

from csipreid.models.clip_chunks import clip_chunks, join_clips
from csipreid.models.cross_modal import CrossModalEmbeddings, clip_counts, mean_over_clips
from csipreid.registry import MODELS
from csipreid.structures import ReIDDataSample


class ReIDModel(BaseModel):
    """Base of the models: a tracklet's embedding is the mean over its clips.

    Args:
        data_preprocessor: Config of the data preprocessor; None only moves the
            data to the device.
        init_cfg: MMEngine initialisation.

    Attributes:
        max_clips: Clips that testing prepares and computes at a time.
    """

    max_clips = 64

    def __init__(self, data_preprocessor: dict | None = None, init_cfg: dict | None = None) -> None:
        # Built here, since MMEngine's own registry does not know ours.
        if data_preprocessor is not None:
            data_preprocessor = MODELS.build(data_preprocessor)
        super().__init__(data_preprocessor, init_cfg)

    def forward(
        self,
        inputs: dict[str, Tensor],
        data_samples: list[ReIDDataSample] | None = None,
        mode: Literal['tensor', 'loss', 'predict'] = 'tensor',
    ) -> Tensor | dict[str, Tensor] | list[ReIDDataSample]:
        """Run the model on a batch of the data preprocessor.

        Args:
            inputs: ``frames``, float, (N, T, 3, H, W), and perhaps ``skeletons``,
                float, (N, T, V, 3), with ``skeleton_valid``, bool, (N, T).
            data_samples: One per tracklet; needed for 'loss' and 'predict'.
            mode: 'tensor' returns :meth:`extract_feat`, 'loss' a dict of
                losses, 'predict' the samples with their ``embedding``.

        Raises:
            ValueError: If the mode is another, or the samples are missing.
        """
        if mode == 'tensor':
            return self.extract_feat(inputs, data_samples)
        if mode not in ('loss', 'predict'):
            raise ValueError(f"mode must be 'tensor', 'loss' or 'predict', got {mode!r}")
        if data_samples is None:
            raise ValueError(f'mode {mode!r} needs data_samples')
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        return self.predict(inputs, data_samples)

    def test_step(self, data: dict) -> list[ReIDDataSample]:
        """Embed the tracklets of a collated batch, at most ``max_clips`` clips at a time.

        Only so many clips are on the device and normalised at once; the
        embeddings do not depend on it.

        Args:
            data: Batch as the data loader gives it.
        """
        clips: list[ReIDDataSample] = []
        for chunk in clip_chunks(data, self.max_clips):
            clips += self(**self.data_preprocessor(chunk, False), mode='predict')
        return join_clips(data['data_samples'], clips)

    def val_step(self, data: dict) -> list[ReIDDataSample]:
        """Do what :meth:`test_step` does."""
        return self.test_step(data)

    @abstractmethod
    def extract_feat(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample] | None = None
    ) -> Tensor:
        """Embed N clips by their frames alone, float, (N, D)."""

    @abstractmethod
    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample]
    ) -> dict[str, Tensor]:
        """Return the losses of a batch, each of shape ()."""

    def extract_pair(self, inputs: dict[str, Tensor]) -> CrossModalEmbeddings:
        """Embed both modalities of N clips.

        Raises:
            NotImplementedError: If the model does not compare modalities.
        """
        raise NotImplementedError(f'{type(self).__name__} has no embeddings of two modalities')

    def embed_tracklets(self, data: dict) -> CrossModalEmbeddings:
        """Embed both modalities of tracklets, at most ``max_clips`` clips at a time.

        Args:
            data: Batch as the data loader gives it.

        Returns:
            Means over the clips of each tracklet, of skeletons over those that have
            one; a tracklet has a skeleton if any of its clips has.
        """
        pairs = []
        for chunk in clip_chunks(data, self.max_clips):
            pairs.append(self.extract_pair(self.data_preprocessor(chunk, False)['inputs']))
        image, skeleton, valid = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        counts = clip_counts(data['data_samples'], len(image))
        weights = valid.to(skeleton.dtype)[:, None]  # (N, 1)
        share = mean_over_clips(weights, counts)  # (B, 1)
        skeleton = mean_over_clips(skeleton * weights, counts) / share.clamp(min=1e-6)
        return CrossModalEmbeddings(mean_over_clips(image, counts), skeleton, share[:, 0] > 0)

    def predict(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample]
    ) -> list[ReIDDataSample]:
        """Write ``embedding`` (D,) into each sample, the mean over its clips."""
        clips = self.extract_feat(inputs, data_samples)  # (N, D)
        embeddings = mean_over_clips(clips, clip_counts(data_samples, len(clips)))
        for sample, embedding in zip(data_samples, embeddings, strict=True):
            sample.embedding = embedding
        return data_samples
