"""Stage 2: video person re-identification with skeleton-image prototypes."""

from typing import Any, NamedTuple

import torch
from mmengine.logging import MMLogger
from torch import Tensor

from csipreid.models.backbones import ImageTokens
from csipreid.models.cross_modal import (
    CrossModalEmbeddings,
    clip_counts,
    image_embedding,
    labels_of,
    skeleton_tokens,
)
from csipreid.models.prototypes import PrototypeBank, clip_memory
from csipreid.models.reid_model import ReIDModel
from csipreid.registry import MODELS
from csipreid.structures import ReIDDataSample

# Parts that extract_feat does not use.
_TRAINING_PARTS = (
    'skeleton_encoder.',
    'skeleton_head.',
    'prototype_bank.',
    'prototype_updater.',
    'image_head.',
    'projected_head.',
    'temporal_head.',
)


class TrainingOutputs(NamedTuple):
    """What the losses of B clips are computed from.

    Attributes:
        features: Mean global token (B, W), its projection (B, P) and the
            temporal feature (B, W), float, before the necks.
        scores: Identity logits of each of them, float, (B, K).
        frame_scores: Identity logits of single frames, float, (B, T, K), or
            None without a frame loss.
        prototypes: Prototypes as seen by each clip, float, (B, K, P), or None
            without a prototype updater.
    """

    features: list[Tensor]
    scores: list[Tensor]
    frame_scores: Tensor | None
    prototypes: Tensor | None


@MODELS.register_module()
class VideoReID(ReIDModel):
    """Train an image encoder for retrieval of tracklets; skeletons only help.

    Three features of a clip are trained with identity and triplet losses: the
    mean global token, its projection, and the mean over frames of the temporal
    module. With skeletons, the temporal module is guided by their tokens, and
    the projection is contrasted with prototypes that are fused from both
    modalities and adapted to the clip. Testing needs frames only.

    Without the skeleton parts this is the image-only baseline.

    Source:
        CSIP-ReID (arXiv:2511.13150); image side after Yu et al., "TF-CLIP:
        Learning Text-free CLIP for Video-based Person Re-Identification",
        AAAI 2024.

    Args:
        num_ids: Number of training identities K.
        num_cams: Number of cameras in the training set.
        image_encoder: Config of the image encoder.
        temporal: Config of the temporal module; its widths come from the encoders.
        identity_head: Config of the identity heads, built three times.
        identity_loss: Config of the loss on identity scores, summed over heads.
        triplet_loss: Config of the loss on features, summed over the three.
        frame_loss: Config of the loss on the identity scores of single frames,
            divided by their number T as in the published code; None leaves it out.
        contrastive_loss: Config of a loss between the projections of the batch's
            clips, which spreads the identities over directions as CLIP's own
            pretraining does: for a tower that stage 1 is to build on. None
            leaves it out.
        prototype_loss: Config of the loss between clips and prototypes; goes
            with ``prototype_updater``.
        camera_embedding: Config of the camera embedding; None leaves it out.
        skeleton_encoder: Config of the skeleton encoder.
        skeleton_head: Config of its projection; None is a
            ``SkeletonProjectionHead``.
        prototype_updater: Config of the prototype updater; its width comes
            from the image encoder.
        freeze_skeletons: Whether skeleton encoder and head keep their stage-1
            weights, in evaluation mode. The published code trains them on
            (False) although the prototypes stay as they are.
        skeleton_dropout: Probability that a clip hides its skeletons from the
            temporal module in training, so that the way of testing is trained
            too. The published code has 0.
        max_clips: Clips that testing prepares and computes at a time; bounds its memory.
        flip_test: Whether a test embedding is the mean of those of a clip and of
            its mirror image, left and right exchanged.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: MMEngine initialisation.

    Attributes:
        training_only: Beginnings of the names of weights that no test reads.
    """

    def __init__(
        self,
        num_ids: int,
        num_cams: int,
        image_encoder: dict,
        temporal: dict,
        identity_head: dict,
        identity_loss: dict,
        triplet_loss: dict,
        frame_loss: dict | None = None,
        contrastive_loss: dict | None = None,
        prototype_loss: dict | None = None,
        camera_embedding: dict | None = None,
        skeleton_encoder: dict | None = None,
        skeleton_head: dict | None = None,
        prototype_updater: dict | None = None,
        freeze_skeletons: bool = True,
        skeleton_dropout: float = 0.5,
        max_clips: int = 64,
        flip_test: bool = False,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        _check_parts(skeleton_encoder, skeleton_head, prototype_updater, prototype_loss)
        if not 0 <= skeleton_dropout <= 1:
            raise ValueError(f'skeleton_dropout must be in [0, 1], got {skeleton_dropout}')
        if max_clips < 1:
            raise ValueError(f'max_clips must be positive, got {max_clips}')
        self.num_ids = num_ids
        self.num_cams = num_cams
        self.freeze_skeletons = freeze_skeletons
        self.skeleton_dropout = skeleton_dropout
        self.max_clips = max_clips
        self.flip_test = flip_test
        self._warned_of_cameras = False

        self.image_encoder = MODELS.build(image_encoder)
        feat_dim, embed_dim = self.image_encoder.feat_dim, self.image_encoder.embed_dim
        self.camera_embedding: Any = None
        if camera_embedding is not None:
            self.camera_embedding = MODELS.build(
                camera_embedding, default_args=dict(num_cams=num_cams, dim=feat_dim)
            )
        self.skeleton_encoder: Any = None
        self.skeleton_head: Any = None
        if skeleton_encoder is not None:
            self.skeleton_encoder = MODELS.build(skeleton_encoder)
            self.skeleton_head = MODELS.build(
                skeleton_head or dict(type='SkeletonProjectionHead'),
                default_args=dict(in_dim=self.skeleton_encoder.embed_dim, embed_dim=embed_dim),
            )
            if freeze_skeletons:
                self.skeleton_encoder.requires_grad_(False)
                self.skeleton_head.requires_grad_(False)
        self.temporal = MODELS.build(
            temporal,
            default_args=dict(
                feat_dim=feat_dim, skeleton_dim=None if skeleton_encoder is None else embed_dim
            ),
        )
        self.prototype_bank: Any = None
        self.prototype_updater: Any = None
        self.prototype_loss: Any = None
        if prototype_updater is not None:
            self.prototype_bank = PrototypeBank(num_ids, embed_dim)
            self.prototype_updater = MODELS.build(
                prototype_updater, default_args=dict(embed_dim=embed_dim)
            )
            self.prototype_loss = MODELS.build(prototype_loss)

        def head(in_dim: int, frame_neck: bool = False) -> Any:
            sizes = dict(in_dim=in_dim, num_ids=num_ids, frame_neck=frame_neck)
            return MODELS.build(identity_head, default_args=sizes)

        self.image_head = head(feat_dim)
        self.projected_head = head(embed_dim)
        self.temporal_head = head(self.temporal.feat_dim, frame_neck=frame_loss is not None)
        self.identity_loss = MODELS.build(identity_loss)
        self.triplet_loss = MODELS.build(triplet_loss)
        self.frame_loss = None if frame_loss is None else MODELS.build(frame_loss)
        self.contrastive_loss = None if contrastive_loss is None else MODELS.build(contrastive_loss)
        self.training_only = _TRAINING_PARTS + tuple(
            f'temporal.{name}' for name in getattr(self.temporal, 'training_only', ())
        )
        self.train(self.training)

    def train(self, mode: bool = True) -> 'VideoReID':
        """Set the training mode; frozen skeleton parts stay in evaluation mode."""
        super().train(mode)
        if self.skeleton_encoder is not None and self.freeze_skeletons:
            self.skeleton_encoder.eval()
            self.skeleton_head.eval()
        return self

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample]
    ) -> dict[str, Tensor]:
        """Return the losses of a batch of B clips, each of shape ().

        ``loss_id``, ``loss_triplet``, and as configured ``loss_frame``,
        ``loss_contrastive`` and ``loss_prototype``.

        Raises:
            ValueError: If a label or camera is out of range, or the prototypes
                are not filled.
        """
        labels = labels_of(data_samples, inputs['frames'].device, self.num_ids)
        features, scores, frame_scores, prototypes = self.training_outputs(inputs, data_samples)
        losses = dict(
            loss_id=sum(self.identity_loss(score, labels) for score in scores),
            loss_triplet=sum(self.triplet_loss(feature, labels) for feature in features),
        )
        if self.frame_loss is not None and frame_scores is not None:
            num_frames = frame_scores.shape[1]
            frame_labels = labels.repeat_interleave(num_frames)  # (B * T,)
            loss = self.frame_loss(frame_scores.flatten(0, 1), frame_labels)
            losses['loss_frame'] = loss / num_frames
        if self.contrastive_loss is not None:
            projected = features[1]
            losses['loss_contrastive'] = self.contrastive_loss(projected, projected, labels)
        if prototypes is not None:
            losses['loss_prototype'] = self.prototype_loss(features[1], prototypes, labels)
        return losses

    def training_outputs(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample]
    ) -> TrainingOutputs:
        """Run all that the losses need.

        Raises:
            ValueError: If a camera is out of range or the prototypes are not filled.
        """
        image = self._encode_frames(inputs['frames'], [sample.camid for sample in data_samples])
        skeletons = valid = prototypes = None
        if self.skeleton_encoder is not None:
            skeletons, valid = self._skeleton_tokens(inputs)
            if self.prototype_updater is not None:
                prototypes = self._prototypes(image, skeletons, valid)  # (B, K, P)
            valid = self._hide_skeletons(valid)
        features, frame_features = self._features(image, skeletons, valid)
        heads = (self.image_head, self.projected_head, self.temporal_head)
        scores = [head(feature) for head, feature in zip(heads, features, strict=True)]
        frame_scores = None
        if self.frame_loss is not None:
            frame_scores = self.temporal_head.score_frames(frame_features)  # (B, T, K)
        return TrainingOutputs(features, scores, frame_scores, prototypes)

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
            Mean global token, its projection and the temporal feature, side by
            side, not normalised, float, (N, W + P + W); with ``flip_test`` the
            mean over the clip and its mirror image.
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

    def _embed(self, frames: Tensor, camids: list[int] | None) -> Tensor:
        """Embed clips (N, T, 3, H, W) without skeletons, (N, W + P + W)."""
        features, _ = self._features(self._encode_frames(frames, camids))
        return torch.cat(features, dim=1)

    def extract_pair(self, inputs: dict[str, Tensor]) -> CrossModalEmbeddings:
        """Embed both modalities of B clips, without the camera embedding.

        Raises:
            ValueError: If the model has no skeleton encoder.
        """
        if self.skeleton_encoder is None:
            raise ValueError('the model has no skeleton_encoder, so it embeds images only')
        tokens, valid = self._skeleton_tokens(inputs)
        return CrossModalEmbeddings(
            image=image_embedding(self.image_encoder, inputs['frames']),
            skeleton=self.skeleton_head.pool(tokens, valid),
            valid=valid.any(dim=1),
        )

    def _encode_frames(self, frames: Tensor, camids: list[int] | None) -> ImageTokens:
        """Encode B clips (B, T, 3, H, W) to tokens (B, T, L, ·)."""
        offset = None
        if self.camera_embedding is not None:
            offset = self.camera_embedding(camids)  # (B, W), for None (1, W)
            if camids is not None:
                offset = offset.repeat_interleave(frames.shape[1], dim=0)  # (B * T, W)
        image = self.image_encoder(frames.flatten(0, 1), offset)
        return ImageTokens(*(part.unflatten(0, frames.shape[:2]) for part in image))

    def _skeleton_tokens(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Encode skeletons to tokens (B, T, V, P) and their validity (B, T)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_skeletons):
            return skeleton_tokens(self.skeleton_encoder, self.skeleton_head, inputs)

    def _features(
        self, image: ImageTokens, skeletons: Tensor | None = None, valid: Tensor | None = None
    ) -> tuple[list[Tensor], Tensor]:
        """Return the three clip features (B, ·) and the frame features (B, T, W)."""
        frame_features = self.temporal(image.tokens, skeletons, valid)
        clip_features = [
            image.tokens[:, :, 0].mean(dim=1),  # (B, W)
            image.projected[:, :, 0].mean(dim=1),  # (B, P)
            frame_features.mean(dim=1),  # (B, W)
        ]
        return clip_features, frame_features

    def _hide_skeletons(self, valid: Tensor) -> Tensor:
        """Hide all skeletons of some clips in training, bool, (B, T)."""
        if not self.training or self.skeleton_dropout == 0:
            return valid
        draws = torch.rand(len(valid), 1, device=valid.device)
        return valid & (draws >= self.skeleton_dropout)

    def _prototypes(self, image: ImageTokens, skeletons: Tensor, valid: Tensor) -> Tensor:
        """Adapt the prototypes to each clip's mean image and joint tokens, (B, K, P)."""
        if not self.prototype_bank.is_filled:
            raise ValueError(
                'the prototypes are not filled; add the prototype hook to custom_hooks, load a '
                'checkpoint that holds them, or call model.prototype_bank.fill'
            )
        memory, memory_valid = clip_memory(image.projected, skeletons, valid)
        return self.prototype_updater(
            self.prototype_bank.image_prototypes,
            self.prototype_bank.skeleton_prototypes,
            memory,
            memory_valid,
        )

    def _known_camera(self, camid: int) -> int:
        """Return the camera, or -1 if the model has not seen it."""
        if camid < self.num_cams:
            return camid
        if self.camera_embedding is not None and not self._warned_of_cameras:
            self._warned_of_cameras = True
            MMLogger.get_current_instance().warning(
                f'camera {camid} and perhaps others were not in training, which had '
                f'{self.num_cams}: their embedding is the mean of the known ones'
            )
        return -1


def _check_parts(
    skeleton_encoder: dict | None,
    skeleton_head: dict | None,
    prototype_updater: dict | None,
    prototype_loss: dict | None,
) -> None:
    """Check that the optional parts fit together.

    Raises:
        ValueError: If a part is given without the one it needs.
    """
    if skeleton_encoder is None and (skeleton_head or prototype_updater):
        raise ValueError('skeleton_head and prototype_updater need a skeleton_encoder')
    if (prototype_updater is None) != (prototype_loss is None):
        raise ValueError(
            'prototype_updater and prototype_loss go together, got only '
            + ('prototype_loss' if prototype_updater is None else 'prototype_updater')
        )
