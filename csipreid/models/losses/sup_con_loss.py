"""Supervised contrastive loss between clips of one modality."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from csipreid.models.losses.rank_gathering import gather_rows
from csipreid.registry import MODELS


@MODELS.register_module()
class SupConLoss(nn.Module):
    """Pull the clips of a person together and away from those of all others.

    The positives of anchor ``i`` are the *other* clips of its identity, and its
    contrasts all other clips: an embedding is never compared with itself, whose
    cosine of 1 would take most of the softmax. An anchor without a positive is
    left out of the mean.

    Source:
        Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, Eq. 2
        (mean outside the logarithm).

    Args:
        temperature: Divisor of the cosines; no unit, must be positive.
        loss_weight: Factor of the result.
        gather: Whether to contrast the clips of all processes of a distributed
            run rather than those of each alone; see
            :func:`csipreid.models.losses.rank_gathering.gather_rows`.
    """

    def __init__(
        self, temperature: float = 0.07, loss_weight: float = 1.0, gather: bool = False
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f'temperature must be positive, got {temperature}')
        self.temperature = temperature
        self.loss_weight = loss_weight
        self.gather = gather

    def forward(self, embeddings: Tensor, labels: Tensor, valid: Tensor | None = None) -> Tensor:
        """Compute the loss of one batch.

        Args:
            embeddings: Not normalised, float, (B, D).
            labels: Identity of each clip, int64, (B,).
            valid: Which clips count, bool, (B,); None says all.

        Returns:
            Mean over the anchors that have a positive, in nats, shape (); zero,
            with a gradient, when there is none.
        """
        if valid is None:
            valid = torch.ones_like(labels, dtype=torch.bool)
        embeddings = F.normalize(embeddings.float(), dim=1)
        if self.gather:
            embeddings, labels, valid = gather_rows(embeddings, labels, valid)
        others = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        others = others & valid[None, :]  # (B, B)
        # In half precision the softmax at a low temperature has hardly a gradient left.
        with torch.autocast(embeddings.device.type, enabled=False):
            logits = embeddings @ embeddings.T / self.temperature
        # Finite, so that a row without any contrast gives numbers to weigh with zero.
        log_prob = logits.masked_fill(~others, torch.finfo(logits.dtype).min).log_softmax(dim=1)
        positives = (labels[:, None] == labels[None, :]) & others & valid[:, None]
        count = positives.sum(dim=1)  # (B,)
        likelihood = log_prob.masked_fill(~positives, 0).sum(dim=1) / count.clamp(min=1)
        return -self.loss_weight * likelihood.sum() / (count > 0).sum().clamp(min=1)
