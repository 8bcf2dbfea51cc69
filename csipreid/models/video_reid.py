"""Stage 2: video person re-identification with skeleton-image prototypes."""

from typing import Any

import torch
from torch import Tensor

from csipreid.models.backbones import ImageTokens
from csipreid.models.cross_modal import (
    CrossModalEmbeddings,
    image_embedding,
    labels_of,
    skeleton_tokens,
    true_skeletons,
)
from csipreid.models.prototypes import PrototypeBank, clip_memory
from csipreid.models.tracklet_reid import TrackletReID
from csipreid.models.training_outputs import TrainingOutputs
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
    'joint_head.',
)


@MODELS.register_module()
class VideoReID(TrackletReID):
    """Train an image encoder for retrieval of tracklets; skeletons only help.

    Three features of a clip are trained with identity and triplet losses: the
    mean global token, its projection, and the mean over frames of the temporal
    module. With skeletons, the temporal module is guided by their tokens, and
    the projection is contrasted with prototypes that are fused from both
    modalities and adapted to the clip. Testing needs frames only.

    Without the skeleton parts this is the image-only baseline; with
    ``SequenceSpecificPrompt`` and ``TemporalMemoryDiffusion`` it is TF-CLIP. With a joint head
    the tower also learns to find the joints of each frame, which tells it where the
    parts of a body are; testing does without the head.

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
        contrastive_loss: Config of a loss on the projections, such as ``SupConLoss``,
            which spreads the identities over directions as CLIP's own pretraining
            does: for a tower that stage 1 is to build on. None leaves it out.
        prototype_loss: Config of the loss between clips and prototypes; goes
            with ``prototype_updater``.
        camera_embedding: Config of the camera embedding; None leaves it out.
        skeleton_encoder: Config of the skeleton encoder.
        skeleton_head: Config of its projection; None is a
            ``SkeletonProjectionHead``.
        prototype_updater: Config of the prototype updater; its width comes
            from the image encoder.
        joint_head: Config of the head that finds joints in the frames; its widths come
            from the image encoder. None leaves it out, as the published method does.
        joint_loss: Config of the loss on these joints; goes with ``joint_head``.
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
        joint_head: dict | None = None,
        joint_loss: dict | None = None,
        freeze_skeletons: bool = True,
        skeleton_dropout: float = 0.5,
        max_clips: int = 64,
        flip_test: bool = False,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(
            num_ids,
            num_cams,
            image_encoder,
            identity_loss,
            triplet_loss,
            camera_embedding,
            max_clips,
            flip_test,
            data_preprocessor,
            init_cfg,
        )
        if skeleton_encoder is None and skeleton_head is not None:
            raise ValueError('skeleton_head needs a skeleton_encoder')
        _check_pair('prototype_updater', prototype_updater, 'prototype_loss', prototype_loss)
        _check_pair('joint_head', joint_head, 'joint_loss', joint_loss)
        if not 0 <= skeleton_dropout <= 1:
            raise ValueError(f'skeleton_dropout must be in [0, 1], got {skeleton_dropout}')
        self.freeze_skeletons = freeze_skeletons
        self.skeleton_dropout = skeleton_dropout

        feat_dim, embed_dim = self.image_encoder.feat_dim, self.image_encoder.embed_dim
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
            self.prototype_updater = MODELS.build(
                prototype_updater, default_args=dict(embed_dim=embed_dim)
            )
            modalities = self.prototype_updater.modalities
            if 'skeleton' in modalities and skeleton_encoder is None:
                raise ValueError(
                    f'{type(self.prototype_updater).__name__} takes prototypes of skeletons, so '
                    'it needs a skeleton_encoder'
                )
            self.prototype_bank = PrototypeBank(num_ids, embed_dim, modalities)
            self.prototype_loss = MODELS.build(prototype_loss)
        self.joint_head: Any = None
        self.joint_loss: Any = None
        if joint_head is not None:
            maps = dict(map_channels=self.image_encoder.map_channels)
            self.joint_head = MODELS.build(joint_head, default_args=maps)
            self.joint_loss = MODELS.build(joint_loss)

        def head(in_dim: int, frame_neck: bool = False) -> Any:
            sizes = dict(in_dim=in_dim, num_ids=num_ids, frame_neck=frame_neck)
            return MODELS.build(identity_head, default_args=sizes)

        self.image_head = head(feat_dim)
        self.projected_head = head(embed_dim)
        self.temporal_head = head(self.temporal.feat_dim, frame_neck=frame_loss is not None)
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
        ``loss_contrastive``, ``loss_prototype`` and ``loss_joint``.

        Raises:
            ValueError: If a label or camera is out of range, the prototypes are not
                filled, or there are no skeletons to learn joints from.
        """
        labels = labels_of(data_samples, inputs['frames'].device, self.num_ids)
        outputs = self.training_outputs(inputs, data_samples)
        features, scores, frame_scores, prototypes, joints = outputs
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
            losses['loss_contrastive'] = self.contrastive_loss(features[1], labels)
        if prototypes is not None:
            losses['loss_prototype'] = self.prototype_loss(features[1], prototypes, labels)
        if joints is not None:
            skeletons, valid = true_skeletons(inputs)
            losses['loss_joint'] = self.joint_loss(joints, skeletons, valid)
        return losses

    def training_outputs(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample]
    ) -> TrainingOutputs:
        """Run all that the losses need.

        Raises:
            ValueError: If a camera is out of range or the prototypes are not filled.
        """
        image = self.encode_frames(inputs['frames'], [sample.camid for sample in data_samples])
        skeletons = valid = prototypes = None
        if self.skeleton_encoder is not None:
            skeletons, valid = self._skeleton_tokens(inputs)
        if self.prototype_updater is not None:
            prototypes = self._prototypes(image, skeletons, valid)  # (B, K, P)
        if valid is not None:
            valid = self._hide_skeletons(valid)
        features, frame_features = self._features(image, skeletons, valid)
        heads = (self.image_head, self.projected_head, self.temporal_head)
        scores = [head(feature) for head, feature in zip(heads, features, strict=True)]
        frame_scores = None
        if self.frame_loss is not None:
            frame_scores = self.temporal_head.score_frames(frame_features)  # (B, T, K)
        joints = None
        if self.joint_head is not None:
            joints = self.joint_head(image.maps).unflatten(0, image.tokens.shape[:2])
        return TrainingOutputs(features, scores, frame_scores, prototypes, joints)

    def test_features(self, image: ImageTokens) -> list[Tensor]:
        """Return the mean global token (N, W), its projection (N, P) and the temporal feature."""
        return self._features(image)[0]

    def extract_pair(self, inputs: dict[str, Tensor]) -> CrossModalEmbeddings:
        """Embed both modalities of B clips, without the camera embedding.

        Without a skeleton encoder no clip has a skeleton.
        """
        if self.skeleton_encoder is None:
            return super().extract_pair(inputs)
        tokens, valid = self._skeleton_tokens(inputs)
        return CrossModalEmbeddings(
            image=image_embedding(self.image_encoder, inputs['frames']),
            skeleton=self.skeleton_head.pool(tokens, valid),
            valid=valid.any(dim=1),
        )

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

    def _prototypes(
        self, image: ImageTokens, skeletons: Tensor | None, valid: Tensor | None
    ) -> Tensor:
        """Adapt the prototypes to each clip's mean tokens, (B, K, P)."""
        self.prototype_bank.check_filled(
            'add the prototype hook to custom_hooks, load a checkpoint that holds them, or call '
            'model.prototype_bank.fill'
        )
        if skeletons is None or valid is None:
            memory, memory_valid = image.projected.mean(dim=1), None  # (B, L, P)
        else:
            memory, memory_valid = clip_memory(image.projected, skeletons, valid)
        return self.prototype_updater(*self.prototype_bank.tables, memory, memory_valid)


def _check_pair(part_name: str, part: dict | None, loss_name: str, loss: dict | None) -> None:
    """Check that a part comes with its loss.

    Raises:
        ValueError: If only one of the two is given.
    """
    if (part is None) != (loss is None):
        raise ValueError(
            f'{part_name} and {loss_name} go together, got only '
            + (loss_name if part is None else part_name)
        )
