"""Cross entropy over the training identities."""

from torch import Tensor, nn
from torch.nn import functional as F

from csipreid.registry import MODELS


@MODELS.register_module()
class IdentityLoss(nn.Module):
    """Cross entropy with label smoothing.

    Source:
        Szegedy et al., "Rethinking the Inception Architecture for Computer
        Vision", CVPR 2016, section 7.

    Args:
        label_smoothing: Share of the target spread over all identities, [0, 1].
        loss_weight: Factor of the result.
    """

    def __init__(self, label_smoothing: float = 0.1, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.loss_weight = loss_weight

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compare logits (N, K) with labels, int64, (N,); the mean in nats, shape ()."""
        loss = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        return self.loss_weight * loss
