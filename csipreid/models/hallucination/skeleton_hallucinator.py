"""Skeletons and their embedding from frames alone."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from csipreid.models.backbones import ImageTokens
from csipreid.models.cross_modal import skeleton_tokens
from csipreid.registry import MODELS


class HallucinatedSkeletons(NamedTuple):
    """What B clips of T frames show of bodies.

    Attributes:
        skeletons: Joints, root at the origin, in mean bone lengths, float,
            (B, T, V, 3).
        embedding: Embedding of each clip's body and movement, float, (B, P).
    """

    skeletons: Tensor
    embedding: Tensor


@MODELS.register_module()
class SkeletonHallucinator(nn.Module):
    """See the skeletons in the frames, and embed them as stage 1 embeds true ones.

    Training has skeletons beside the frames, testing has not. The joints are learnt
    frame by frame, and a pose, other than an identity, cannot be told from clothing;
    so what is learnt holds for people never seen. The skeleton encoder starts from
    stage 1 and learns, by ``embedding_loss``, to tell people by skeletons as they are
    seen. It receives joints, no image features, and its gradient stops there: it
    cannot fall back on appearance, nor can it move the joints for its ends.

    Source:
        The setting is that of Vapnik and Vashist, "A New Learning Paradigm: Learning
        Using Privileged Information", Neural Networks 2009, and Hoffman et al.,
        "Learning with Side Information through Modality Hallucination", CVPR 2016;
        that the skeleton rather than a feature of it is hallucinated is ours.

    Args:
        map_channels: Channels of the image encoder's maps.
        feat_dim: Width W of its tokens.
        embed_dim: Width P of the embedding.
        skeleton_encoder: Config of the skeleton encoder.
        joint_head: Config of the head that finds the joints.
        joint_loss: Config of the loss between seen and true joints.
        embedding_loss: Config of the loss on the clips' embeddings, such as
            ``SupConLoss``.
        skeleton_head: Config of the projection of the skeleton encoder; None is a
            ``SkeletonProjectionHead``.
    """

    def __init__(
        self,
        map_channels: Sequence[int],
        feat_dim: int,
        embed_dim: int,
        skeleton_encoder: dict,
        joint_head: dict,
        joint_loss: dict,
        embedding_loss: dict,
        skeleton_head: dict | None = None,
    ) -> None:
        super().__init__()
        self.joint_head = MODELS.build(
            joint_head, default_args=dict(map_channels=map_channels, feat_dim=feat_dim)
        )
        self.skeleton_encoder = MODELS.build(skeleton_encoder)
        self.skeleton_head = MODELS.build(
            skeleton_head or dict(type='SkeletonProjectionHead'),
            default_args=dict(in_dim=self.skeleton_encoder.embed_dim, embed_dim=embed_dim),
        )
        self.joint_loss = MODELS.build(joint_loss)
        self.embedding_loss = MODELS.build(embedding_loss)

    def forward(self, image: ImageTokens) -> HallucinatedSkeletons:
        """See the skeletons of B clips.

        Args:
            image: Tokens (B, T, L, ·), and maps of all frames, (B * T, C, h, w).
        """
        frames = self.joint_head(image.maps, image.tokens[:, :, 0].flatten(0, 1))
        skeletons = frames.unflatten(0, image.tokens.shape[:2])  # (B, T, V, 3)
        seen = dict(skeletons=skeletons.detach())
        tokens, valid = skeleton_tokens(self.skeleton_encoder, self.skeleton_head, seen)
        return HallucinatedSkeletons(skeletons, self.skeleton_head.pool(tokens, valid))

    def loss(
        self, seen: HallucinatedSkeletons, inputs: dict[str, Tensor], labels: Tensor
    ) -> dict[str, Tensor]:
        """Return ``loss_joint`` and ``loss_body`` of a batch, each of shape ().

        Args:
            seen: What :meth:`forward` made of the frames.
            inputs: With ``skeletons``, float, (B, T, V, 3), and ``skeleton_valid``,
                bool, (B, T).
            labels: Identity of each clip, int64, (B,).

        Raises:
            ValueError: If the inputs hold no skeletons.
        """
        if 'skeletons' not in inputs:
            raise ValueError(
                'the inputs hold no skeletons to learn from; add the LoadSkeletons transform to '
                'the training pipeline'
            )
        return dict(
            loss_joint=self.joint_loss(
                seen.skeletons, inputs['skeletons'], inputs['skeleton_valid']
            ),
            loss_body=self.embedding_loss(seen.embedding, labels),
        )
