"""Storage of one prototype per identity and modality."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from csipreid.registry import MODELS


@MODELS.register_module()
class PrototypeBank(nn.Module):
    """Prototypes of the training identities, saved with the model.

    Args:
        num_ids: Number of training identities K.
        embed_dim: Width P of the prototypes.
        modalities: What they are of: 'image', 'skeleton', 'text'.

    Attributes:
        image_prototypes: Row k is the prototype of label k, float32, (K, P); there is
            one such table for each modality, with its name.
        is_filled: Whether :meth:`fill` was called, now or before the
            checkpoint that was loaded.
    """

    image_prototypes: Tensor
    skeleton_prototypes: Tensor
    text_prototypes: Tensor
    filled: Tensor

    def __init__(
        self, num_ids: int, embed_dim: int, modalities: Sequence[str] = ('image', 'skeleton')
    ) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        for name in self.modalities:
            self.register_buffer(f'{name}_prototypes', torch.zeros(num_ids, embed_dim))
        self.register_buffer('filled', torch.zeros((), dtype=torch.int64))
        self.is_filled = False  # the buffer on the host: reading it waits for no device

    @property
    def tables(self) -> list[Tensor]:
        """The prototypes of all modalities, in their order, float32, (K, P) each."""
        return [self.get_buffer(f'{name}_prototypes') for name in self.modalities]

    @torch.no_grad()
    def fill(self, *prototypes: Tensor) -> None:
        """Replace all prototypes.

        Args:
            *prototypes: One table for each modality, in their order, float, (K, P)
                each, row k for label k.

        Raises:
            ValueError: If one is missing, a shape differs or a value is not finite.
        """
        for modality, new in zip(self.modalities, prototypes, strict=True):
            name = f'{modality}_prototypes'
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

    def check_filled(self, how: str) -> None:
        """Refuse to go on without prototypes.

        Args:
            how: What would fill them, for the error.

        Raises:
            ValueError: If they are not filled.
        """
        if not self.is_filled:
            raise ValueError(f'the prototypes are not filled; {how}')

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        """Load the buffers and read the flag once."""
        super()._load_from_state_dict(*args, **kwargs)
        self.is_filled = bool(self.filled)
