"""Distance between predicted and true joints."""

from torch import Tensor, nn

from csipreid.models.skeleton_scale import without_scale
from csipreid.registry import MODELS
from csipreid.skeletons import get_layout


@MODELS.register_module()
class JointLoss(nn.Module):
    """Mean absolute error of predicted joints, without regard to absolute size.

    The true skeletons are moved to their root and divided by their mean bone length,
    since a cropped image does not show how large a person is.

    Args:
        layout: Name of the joint layout.
        loss_weight: Factor of the result.
    """

    def __init__(self, layout: str = 'h36m', loss_weight: float = 1.0) -> None:
        super().__init__()
        self.layout = get_layout(layout)
        self.loss_weight = loss_weight

    def forward(self, predicted: Tensor, skeletons: Tensor, valid: Tensor) -> Tensor:
        """Compute the loss of one batch.

        Args:
            predicted: Joints, root at the origin, in mean bone lengths, float,
                (B, T, V, 3).
            skeletons: True joints, any unit and origin, float, (B, T, V, 3).
            valid: Whether a frame has a skeleton, bool, (B, T).

        Returns:
            Mean over the valid frames, their joints and coordinates, in mean bone
            lengths, shape (); zero, with a gradient, when none is valid.

        Raises:
            ValueError: If the shapes differ.
        """
        if predicted.shape != skeletons.shape:
            raise ValueError(
                'predicted and true skeletons must have the same shape, got '
                f'{tuple(predicted.shape)} and {tuple(skeletons.shape)}'
            )
        root = self.layout.root
        centred = skeletons - skeletons[..., root : root + 1, :]
        error = (predicted - without_scale(centred, self.layout)).abs().mean(dim=(2, 3))
        total = error.masked_fill(~valid, 0).sum() / valid.sum().clamp(min=1)
        return self.loss_weight * total
