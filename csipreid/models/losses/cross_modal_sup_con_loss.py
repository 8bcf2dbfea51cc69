"""Supervised contrastive loss between skeletons and images."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from csipreid.models.losses.rank_gathering import gather_rows
from csipreid.registry import MODELS


@MODELS.register_module()
class CrossModalSupConLoss(nn.Module):
    """Supervised contrastive loss across two modalities.

    Each skeleton is pulled towards every image of its own identity and pushed
    away from the others, then the same with the roles swapped. The positives
    of anchor ``i`` are ``P(i) = {j : pid[j] == pid[i]}``; ``i`` is among them,
    so no anchor is without a positive. Clips without a skeleton are left out.

    Source:
        Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, Eq. 2
        (mean outside the logarithm), with anchors and contrasts taken from
        different modalities as in CSIP-ReID (arXiv:2511.13150).

    Differs from the official CSIP-ReID code, which takes raw features, a
    temperature of 1 and the *sum* of the two directions. Use
    ``normalize=False, temperature=1.0, loss_weight=2.0`` to get it back.

    In a run of W processes, ``gather`` makes the batch that of all of them, as
    large contrastive batches want it. Value and gradient then are those of one
    process with the whole batch, however it is divided: see
    :func:`csipreid.models.losses.rank_gathering.gather_rows`.

    Args:
        temperature: Divisor of the similarities; no unit, must be positive.
        normalize: Whether to L2-normalise the embeddings first, which makes
            the similarities cosines in [-1, 1].
        loss_weight: Factor of the result.
        gather: Whether to contrast the clips of all processes of a distributed
            run rather than those of each alone.
    """

    def __init__(
        self,
        temperature: float = 0.07,
        normalize: bool = True,
        loss_weight: float = 1.0,
        gather: bool = False,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f'temperature must be positive, got {temperature}')
        self.temperature = temperature
        self.normalize = normalize
        self.loss_weight = loss_weight
        self.gather = gather

    def forward(
        self, skeletons: Tensor, images: Tensor, pids: Tensor, valid: Tensor | None = None
    ) -> Tensor:
        """Compute the loss of one batch.

        Args:
            skeletons: Skeleton embeddings, float, shape (B, D).
            images: Image embeddings of the same tracklets, float, (B, D).
            pids: Person identities, int64, (B,).
            valid: Which tracklets have a skeleton, bool, (B,); None says all.

        Returns:
            Mean over anchors and directions, in nats, shape (); zero, with a
            gradient, when no tracklet is valid.

        Raises:
            ValueError: If the two embeddings differ in shape.
        """
        if skeletons.shape != images.shape:
            raise ValueError(
                'skeletons and images must have the same shape, got '
                f'{tuple(skeletons.shape)} and {tuple(images.shape)}'
            )
        if valid is None:
            valid = torch.ones_like(pids, dtype=torch.bool)
        # In half precision the softmax at a low temperature has hardly a gradient left.
        with torch.autocast(skeletons.device.type, enabled=False):
            skeletons, images = skeletons.float(), images.float()
            if self.normalize:
                skeletons = F.normalize(skeletons, dim=1)
                images = F.normalize(images, dim=1)
            if self.gather:
                skeletons, images, pids, valid = gather_rows(skeletons, images, pids, valid)

            logits = skeletons @ images.T / self.temperature  # (B, B)
            positives = pids[:, None] == pids[None, :]  # (B, B)
            both = _one_way(logits, positives, valid) + _one_way(logits.T, positives, valid)
            return self.loss_weight * both / 2


def _one_way(logits: Tensor, positives: Tensor, valid: Tensor) -> Tensor:
    """Average the log-likelihood of the positives over the valid rows and columns.

    Masks rather than indexing: an index of unknown length would wait for the device.
    """
    # Finite, so that a batch without a valid column gives numbers to weigh with zero.
    logits = logits.masked_fill(~valid[None, :], torch.finfo(logits.dtype).min)
    log_prob = logits.log_softmax(dim=1)
    weights = (positives & valid[None, :] & valid[:, None]).to(log_prob.dtype)  # (B, B)
    likelihood = (log_prob * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
    return -likelihood.sum() / valid.sum().clamp(min=1)
