"""Storage of one image and one skeleton prototype per identity."""

from typing import Any

import torch
from torch import Tensor, nn

from csipreid.registry import MODELS


@MODELS.register_module()
class PrototypeBank(nn.Module):
    """Image and skeleton prototypes, saved with the model.

    Args:
        num_ids: Number of training identities K.
        embed_dim: Width P of the space shared by images and skeletons.

    Attributes:
        image_prototypes: Row k is the prototype of label k, float32, (K, P).
        skeleton_prototypes: The same for skeletons, float32, (K, P).
        is_filled: Whether :meth:`fill` was called, now or before the
            checkpoint that was loaded.
    """

    image_prototypes: Tensor
    skeleton_prototypes: Tensor
    filled: Tensor

    def __init__(self, num_ids: int, embed_dim: int) -> None:
        super().__init__()
        self.register_buffer('image_prototypes', torch.zeros(num_ids, embed_dim))
        self.register_buffer('skeleton_prototypes', torch.zeros(num_ids, embed_dim))
        self.register_buffer('filled', torch.zeros((), dtype=torch.int64))
        self.is_filled = False  # the buffer on the host: reading it waits for no device

    @torch.no_grad()
    def fill(self, image_prototypes: Tensor, skeleton_prototypes: Tensor) -> None:
        """Replace all prototypes.

        Args:
            image_prototypes: Float, (K, P), row k for label k.
            skeleton_prototypes: Float, (K, P), row k for label k.

        Raises:
            ValueError: If a shape differs or a value is not finite.
        """
        for name, new in (
            ('image_prototypes', image_prototypes),
            ('skeleton_prototypes', skeleton_prototypes),
        ):
            old = self.get_buffer(name)
            if new.shape != old.shape:
                raise ValueError(
                    f'{name} must have shape {tuple(old.shape)}, got {tuple(new.shape)}'
                )
            if not new.isfinite().all():
                raise ValueError(f'{name} hold values that are not finite')
            old.copy_(new)
        self.filled.fill_(1)
        self.is_filled = True

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        """Load the buffers and read the flag once."""
        super()._load_from_state_dict(*args, **kwargs)
        self.is_filled = bool(self.filled)
