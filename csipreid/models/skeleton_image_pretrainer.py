"""Stage 1: align skeletons with a frozen image encoder."""

from torch import Tensor
from torch.nn import functional as F

from csipreid.models.cross_modal import (
    CrossModalEmbeddings,
    clip_counts,
    labels_of,
    mean_over_clips,
    skeleton_tokens,
)
from csipreid.models.frozen_tower import FrozenTowerModel
from csipreid.registry import MODELS
from csipreid.structures import ReIDDataSample


@MODELS.register_module()
class SkeletonImagePretrainer(FrozenTowerModel):
    """Train a skeleton encoder to agree with a frozen image encoder.

    A clip without a skeleton is left out of the loss.

    What the image encoder tells of a person is mostly appearance, which no skeleton
    knows. With images as the only target, the skeleton encoder forgets bodies;
    ``skeleton_loss`` between clips of the same person keeps them.

    Source:
        CSIP-ReID (arXiv:2511.13150), contrastive skeleton-image pretraining.

    Args:
        image_encoder: Config of the image encoder.
        skeleton_encoder: Config of the skeleton encoder.
        loss: Config of the loss between the two embeddings.
        skeleton_loss: Config of a loss between the skeleton embeddings of different
            clips, such as ``SupConLoss``; it needs batches with several clips of a
            person. None leaves it out, as the published method does.
        skeleton_head: Config of the projection; its widths come from the
            encoders. None is a ``SkeletonProjectionHead``.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: MMEngine initialisation.

    Attributes:
        skeleton_cosine: Mean cosine between the skeleton embeddings of different clips
            of the last training batch, in [-1, 1], shape (); near 1 they have
            collapsed. None before the first.
    """

    def __init__(
        self,
        image_encoder: dict,
        skeleton_encoder: dict,
        loss: dict,
        skeleton_loss: dict | None = None,
        skeleton_head: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(image_encoder, data_preprocessor, init_cfg)
        self.skeleton_encoder = MODELS.build(skeleton_encoder)
        self.skeleton_head = MODELS.build(
            skeleton_head or dict(type='SkeletonProjectionHead'),
            default_args=dict(
                in_dim=self.skeleton_encoder.embed_dim, embed_dim=self.image_encoder.embed_dim
            ),
        )
        self.contrastive_loss = MODELS.build(loss)
        self.skeleton_loss = None if skeleton_loss is None else MODELS.build(skeleton_loss)
        self.skeleton_cosine: Tensor | None = None
        self.train(self.training)

    def extract_pair(self, inputs: dict[str, Tensor]) -> CrossModalEmbeddings:
        """Embed both modalities of B clips."""
        tokens, valid = skeleton_tokens(self.skeleton_encoder, self.skeleton_head, inputs)
        return CrossModalEmbeddings(
            image=self.extract_feat(inputs),
            skeleton=self.skeleton_head.pool(tokens, valid),
            valid=valid.any(dim=1),
        )

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample]
    ) -> dict[str, Tensor]:
        """Return ``loss_contrastive`` and, as configured, ``loss_skeleton``, of shape ()."""
        pair = self.extract_pair(inputs)
        labels = labels_of(data_samples, pair.image.device)
        losses = dict(
            loss_contrastive=self.contrastive_loss(pair.skeleton, pair.image, labels, pair.valid)
        )
        if self.skeleton_loss is not None:
            losses['loss_skeleton'] = self.skeleton_loss(pair.skeleton, labels, pair.valid)
        self.skeleton_cosine = _mean_cosine(pair.skeleton.detach(), pair.valid)
        return losses

    def predict(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample]
    ) -> list[ReIDDataSample]:
        """Write ``embedding`` and ``image_embedding``, and what the skeletons give.

        The first two are the same vector. With skeletons in the batch each sample
        also gets ``has_skeleton`` and ``skeleton_embedding`` (zero without one).
        """
        data_samples = super().predict(inputs, data_samples)
        for sample in data_samples:
            sample.image_embedding = sample.embedding
        if 'skeletons' not in inputs:
            return data_samples

        counts = clip_counts(data_samples, len(inputs['skeletons']))
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


def _mean_cosine(embeddings: Tensor, valid: Tensor) -> Tensor:
    """Average the cosines between the valid (B,) of embeddings (B, D), shape ().

    The sum over all pairs is the squared length of the sum of the unit vectors.
    """
    unit = F.normalize(embeddings.float(), dim=1).masked_fill(~valid[:, None], 0)
    count = valid.sum()
    total = unit.sum(dim=0).square().sum() - count
    return total / (count * (count - 1)).clamp(min=1)
