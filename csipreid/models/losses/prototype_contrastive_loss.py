"""Contrast of clips with the prototypes of all identities."""

from torch import Tensor, nn
from torch.nn import functional as F

from csipreid.registry import MODELS


@MODELS.register_module()
class PrototypeContrastiveLoss(nn.Module):
    """Pull each clip towards the prototype of its identity, away from the others.

    Cross entropy over the similarities of a clip and the K prototypes, with
    label smoothing.

    Source:
        CSIP-ReID (arXiv:2511.13150), after CLIP's image-to-text loss.

    Differs from the official CSIP-ReID code, which takes raw features and a
    temperature of 1: ``normalize=False, temperature=1.0`` gives it back.

    Args:
        temperature: Divisor of the similarities; no unit, must be positive.
        normalize: Whether to L2-normalise both sides first.
        label_smoothing: Share of the target spread over all identities, [0, 1].
        loss_weight: Factor of the result.
    """

    def __init__(
        self,
        temperature: float = 0.07,
        normalize: bool = True,
        label_smoothing: float = 0.1,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f'temperature must be positive, got {temperature}')
        self.temperature = temperature
        self.normalize = normalize
        self.label_smoothing = label_smoothing
        self.loss_weight = loss_weight

    def logits(self, embeddings: Tensor, prototypes: Tensor) -> Tensor:
        """Compare each clip with its own view of the prototypes.

        Args:
            embeddings: Clip embeddings, float, (B, D).
            prototypes: Prototypes as seen by each clip, float, (B, K, D), or the same
                for all, (K, D).

        Returns:
            Similarities over the temperature, float, (B, K).
        """
        if self.normalize:
            embeddings = F.normalize(embeddings, dim=-1)
            prototypes = F.normalize(prototypes, dim=-1)
        if prototypes.ndim == 2:
            return embeddings @ prototypes.T / self.temperature
        return (prototypes @ embeddings[..., None]).squeeze(-1) / self.temperature

    def forward(self, embeddings: Tensor, prototypes: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss of one batch.

        Args:
            embeddings: Clip embeddings, float, (B, D).
            prototypes: Prototypes as seen by each clip, float, (B, K, D), or the same
                for all, (K, D).
            labels: Training labels, int64, (B,).

        Returns:
            Mean over clips, in nats, shape ().
        """
        logits = self.logits(embeddings, prototypes)
        loss = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        return self.loss_weight * loss
