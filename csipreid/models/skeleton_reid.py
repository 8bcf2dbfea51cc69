"""Re-identification by skeletons alone."""

from typing import Any

from torch import Tensor

from csipreid.models.cross_modal import (
    CrossModalEmbeddings,
    labels_of,
    skeleton_tokens,
    true_skeletons,
)
from csipreid.models.reid_model import ReIDModel
from csipreid.models.skeleton_scale import bone_lengths
from csipreid.registry import MODELS
from csipreid.skeletons import get_layout
from csipreid.structures import ReIDDataSample


@MODELS.register_module()
class SkeletonReID(ReIDModel):
    """Train and test a skeleton encoder without any image.

    The embedding of a clip is the pooled output of ``skeleton_head``. Each loss is
    there if it is configured; clips without any skeleton do not count.

    Source:
        TranSG (Rao and Miao, CVPR 2023) with ``TranSGEncoder``, ``prototype_loss`` and
        ``prompt_head``; the skeleton branch of CSIP-ReID (arXiv:2511.13150) with
        ``SkeletonGraphTransformer``.

    Args:
        skeleton_encoder: Config of the encoder.
        num_ids: Number of training identities K; the runner counts it.
        skeleton_head: Config of the head, whose ``in_dim`` comes from the encoder.
        embed_dim: Width D of the embedding; None is that of the encoder.
        identity_head: Config of a classifier, such as ``BNNeckHead``.
        identity_loss: Config of its loss.
        contrastive_loss: Config of a loss between clips, such as ``SupConLoss``.
        prototype_loss: Config of ``GraphPrototypeLoss``; the prototypes are built by
            ``PrototypeHook``, every epoch with ``refresh_interval=1``.
        prompt_head: Config of ``SkeletonPromptHead``.
        freeze_encoder: Whether the encoder keeps the weights it was filled with, and
            evaluation mode.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: MMEngine initialisation.

    Attributes:
        training_only: Beginnings of the names of weights that no test reads.

    Raises:
        ValueError: If there is no loss, or one of identity head and loss is missing.
    """

    training_only = ('identity_head.', 'prototype_loss.', 'prototype_bank.', 'prompt_head.')

    def __init__(
        self,
        skeleton_encoder: dict,
        num_ids: int,
        skeleton_head: dict | None = None,
        embed_dim: int | None = None,
        identity_head: dict | None = None,
        identity_loss: dict | None = None,
        contrastive_loss: dict | None = None,
        prototype_loss: dict | None = None,
        prompt_head: dict | None = None,
        freeze_encoder: bool = False,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        if (identity_head is None) != (identity_loss is None):
            raise ValueError('identity_head and identity_loss go together; set both or none')
        if not any((identity_loss, contrastive_loss, prototype_loss)):
            raise ValueError('SkeletonReID needs identity_loss, contrastive_loss or prototype_loss')
        self.num_ids = num_ids
        self.freeze_encoder = freeze_encoder
        self.skeleton_encoder = MODELS.build(skeleton_encoder)
        self.skeleton_encoder.requires_grad_(not freeze_encoder)
        width = self.skeleton_encoder.embed_dim
        embed_dim = embed_dim or width
        self.skeleton_head = MODELS.build(
            skeleton_head or dict(type='SkeletonMeanHead'),
            default_args=dict(in_dim=width, embed_dim=embed_dim),
        )
        self.identity_head: Any = _build(identity_head, in_dim=embed_dim, num_ids=num_ids)
        self.identity_loss: Any = _build(identity_loss)
        self.contrastive_loss: Any = _build(contrastive_loss)
        self.prototype_loss: Any = _build(prototype_loss, embed_dim=embed_dim)
        self.prototype_bank: Any = (
            None
            if prototype_loss is None
            else _build(dict(type='PrototypeBank'), num_ids=num_ids, embed_dim=embed_dim)
        )
        joints = self.skeleton_encoder.layout.num_joints
        self.prompt_head: Any = _build(prompt_head, in_dim=embed_dim, num_joints=joints)
        self.train(self.training)

    def train(self, mode: bool = True) -> 'SkeletonReID':
        """Set the training mode; a frozen encoder stays in evaluation mode."""
        super().train(mode)
        if self.freeze_encoder:
            self.skeleton_encoder.eval()
        return self

    def extract_feat(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample] | None = None
    ) -> Tensor:
        """Embed clips.

        Args:
            inputs: ``skeletons``, float, (N, T, V, 3), and ``skeleton_valid``, bool, (N, T).
            data_samples: Unused; required by the interface.

        Returns:
            Float, (N, D), not normalised; zero for a clip without any skeleton.
        """
        tokens, valid = self._tokens(inputs)
        return self.skeleton_head.pool(tokens, valid)

    def extract_pair(self, inputs: dict[str, Tensor]) -> CrossModalEmbeddings:
        """Embed clips; without images both embeddings are the skeleton's."""
        tokens, valid = self._tokens(inputs)
        clips = self.skeleton_head.pool(tokens, valid)
        return CrossModalEmbeddings(image=clips, skeleton=clips, valid=valid.any(dim=1))

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample]
    ) -> dict[str, Tensor]:
        """Return the configured losses, each of shape ().

        Raises:
            ValueError: If the prototypes were not built.
        """
        tokens, valid = self._tokens(inputs)
        clips = self.skeleton_head.pool(tokens, valid)  # (B, D)
        labels = labels_of(data_samples, clips.device, self.num_ids)
        found = valid.any(dim=1)
        losses = {}
        if self.identity_head is not None and found.any():
            logits = self.identity_head(clips[found])
            losses['loss_identity'] = self.identity_loss(logits, labels[found])
        if self.contrastive_loss is not None:
            losses['loss_contrastive'] = self.contrastive_loss(clips, labels, found)
        if self.prototype_loss is not None:
            self.prototype_bank.check_filled('add PrototypeHook to default_hooks')
            losses['loss_prototype'] = self.prototype_loss(
                tokens.mean(dim=2), clips, self.prototype_bank.skeleton_prototypes, labels, valid
            )
        if self.prompt_head is not None:
            losses['loss_prompt'] = self.prompt_head(tokens, inputs['skeletons'], valid)
        return losses or dict(loss_none=clips.sum() * 0)

    def _tokens(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Encode clips, (N, T, V, D), and tell which frames have a skeleton, (N, T)."""
        return skeleton_tokens(self.skeleton_encoder, self.skeleton_head, inputs)


@MODELS.register_module()
class BoneLengthReID(ReIDModel):
    """Describe a person by the mean lengths of the bones; nothing is trained.

    It shows how much of a data set body size alone can tell. Lengths are to be compared
    by their Euclidean distance: take a protocol with ``metric='euclidean'``.

    Args:
        layout: Name of the joint layout.
        data_preprocessor: Config of the data preprocessor.
    """

    def __init__(self, layout: str, data_preprocessor: dict | None = None) -> None:
        super().__init__(data_preprocessor)
        self.layout = get_layout(layout)

    def extract_feat(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample] | None = None
    ) -> Tensor:
        """Measure clips.

        Args:
            inputs: ``skeletons``, float, (N, T, V, 3), and ``skeleton_valid``, bool, (N, T).
            data_samples: Unused; required by the interface.

        Returns:
            Mean length of each bone over the frames with a skeleton, metres, (N, V - 1).

        Raises:
            ValueError: If the joints do not fit the layout.
        """
        skeletons, valid = true_skeletons(inputs)
        if skeletons.shape[2] != self.layout.num_joints:
            raise ValueError(
                f'skeletons of layout {self.layout.name!r} have {self.layout.num_joints} joints, '
                f'got {skeletons.shape[2]}'
            )
        lengths = bone_lengths(skeletons, self.layout)  # (N, T, V - 1), zero without a skeleton
        return lengths.sum(dim=1) / valid.sum(dim=1, keepdim=True).clamp(min=1)

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample]
    ) -> dict[str, Tensor]:
        """Refuse to train.

        Raises:
            ValueError: Always.
        """
        raise ValueError('BoneLengthReID has nothing to train; test it without a checkpoint')


def _build(config: dict | None, **sizes: int) -> Any:
    """Build a part with its sizes; None for None."""
    return None if config is None else MODELS.build(config, default_args=sizes)
