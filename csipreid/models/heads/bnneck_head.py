"""Identity classifier behind a batch-norm neck."""

from torch import Tensor, nn

from csipreid.registry import MODELS


@MODELS.register_module()
class BNNeckHead(nn.Module):
    """Batch norm without a trained bias, then a linear classifier without bias.

    Source:
        Luo et al., "Bag of Tricks and A Strong Baseline for Deep Person
        Re-identification", CVPR workshops 2019.

    Args:
        in_dim: Width C of the features.
        num_ids: Number of training identities K.
        frame_neck: Whether single frames are classified too: by the same
            classifier, behind a batch norm of their own.
    """

    def __init__(self, in_dim: int, num_ids: int, frame_neck: bool = False) -> None:
        super().__init__()
        self.neck = _neck(in_dim)
        self.frame_neck = _neck(in_dim) if frame_neck else None
        self.classifier = nn.Linear(in_dim, num_ids, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, features: Tensor) -> Tensor:
        """Score clips: features (B, C) to logits (B, K)."""
        return self.classifier(self.neck(features))

    def score_frames(self, features: Tensor) -> Tensor:
        """Score frames: features (B, T, C) to logits (B, T, K).

        Raises:
            ValueError: If the head was built without ``frame_neck``.
        """
        if self.frame_neck is None:
            raise ValueError('the head has no neck for frames; build it with frame_neck=True')
        normed = self.frame_neck(features.flatten(0, 1))  # (B * T, C)
        return self.classifier(normed).unflatten(0, features.shape[:2])


def _neck(width: int) -> nn.BatchNorm1d:
    """Make a batch norm whose bias stays zero."""
    neck = nn.BatchNorm1d(width)
    neck.bias.requires_grad_(False)
    return neck
