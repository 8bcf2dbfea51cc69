"""Graph prototype contrast of TranSG."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from csipreid.registry import MODELS


@MODELS.register_module()
class GraphPrototypeLoss(nn.Module):
    """Pull sequences and their frames towards the prototype of their person.

    With a sequence feature v, the feature h_t of its frame t, prototypes c_k and learned
    matrices F1, F2 ::

        L_seq = CE(cos(v, c_k) / t_seq)        L_frame = sum_t CE((h_t F1) . (c_k F2) / t_frame)
        L = weight * L_seq + (1 - weight) * L_frame

    each the mean over the batch. A frame without skeleton is left out of the sum.

    Source:
        Rao and Miao, TranSG, CVPR 2023, graph prototype contrastive learning; temperatures and
        the standard normal initial values of F1, F2 as in its published code.

    Args:
        embed_dim: Width D of features and prototypes.
        sequence_temperature: Divisor of the cosines, positive.
        frame_temperature: Divisor of the products, positive.
        sequence_weight: Share of the sequence loss, in [0, 1].
        loss_weight: Factor of the result.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        embed_dim: int,
        sequence_temperature: float = 0.07,
        frame_temperature: float = 14.0,
        sequence_weight: float = 0.5,
        loss_weight: float = 0.5,
    ) -> None:
        super().__init__()
        if min(sequence_temperature, frame_temperature) <= 0:
            raise ValueError(
                f'temperatures must be positive, got {sequence_temperature} and {frame_temperature}'
            )
        if not 0 <= sequence_weight <= 1:
            raise ValueError(f'sequence_weight must be in [0, 1], got {sequence_weight}')
        self.sequence_temperature = sequence_temperature
        self.frame_temperature = frame_temperature
        self.sequence_weight = sequence_weight
        self.loss_weight = loss_weight
        self.frame_map = nn.Parameter(torch.randn(embed_dim, embed_dim))
        self.prototype_map = nn.Parameter(torch.randn(embed_dim, embed_dim))

    def forward(
        self, frames: Tensor, clips: Tensor, prototypes: Tensor, labels: Tensor, valid: Tensor
    ) -> Tensor:
        """Compute the loss of one batch.

        Args:
            frames: Frame features, float, (B, T, D).
            clips: Sequence features, float, (B, D).
            prototypes: Row k for label k, float, (K, D).
            labels: Training labels, int64, (B,).
            valid: Which frames have a skeleton, bool, (B, T).

        Returns:
            Nats, shape ().
        """
        cosines = F.normalize(clips, dim=-1) @ F.normalize(prototypes, dim=-1).T  # (B, K)
        found = valid.any(dim=1)
        sequence = _mean(
            F.cross_entropy(cosines / self.sequence_temperature, labels, reduction='none'), found
        )
        logits = (frames @ self.frame_map) @ (prototypes @ self.prototype_map).T  # (B, T, K)
        targets = labels[:, None].expand(frames.shape[:2])
        losses = F.cross_entropy(
            (logits / self.frame_temperature).flatten(0, 1), targets.flatten(), reduction='none'
        )
        per_clip = (losses.unflatten(0, frames.shape[:2]) * valid).sum(dim=1)  # (B,)
        share = self.sequence_weight
        return self.loss_weight * (share * sequence + (1 - share) * _mean(per_clip, found))


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """Average the chosen (B,) of values (B,); zero if there are none."""
    return (values * chosen).sum() / chosen.sum().clamp(min=1)
