"""One learned vector per camera."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from csipreid.registry import MODELS


@MODELS.register_module()
class CameraEmbedding(nn.Module):
    """Learned offset of each camera, added to the global token of a frame.

    A camera that is not known (-1) gets the mean of the table.

    Source:
        He et al., "TransReID: Transformer-based Object Re-Identification",
        ICCV 2021 (side information embedding).

    Args:
        num_cams: Number of cameras in the training set.
        dim: Width of the offset.
    """

    def __init__(self, num_cams: int, dim: int) -> None:
        super().__init__()
        if num_cams < 1:
            raise ValueError(f'num_cams must be at least 1, got {num_cams}')
        self.num_cams = num_cams
        self.weight = nn.Parameter(torch.empty(num_cams, dim))
        nn.init.trunc_normal_(self.weight, std=0.02)

    def forward(self, camids: Sequence[int] | None) -> Tensor:
        """Look up the offsets of B clips.

        Args:
            camids: Cameras, 0-based, -1 when unknown; B plain integers, so
                that the range check waits for no device. None when all are
                unknown, however many there are.

        Returns:
            Offsets, float, (B, dim); for None the one of an unknown camera,
            (1, dim).

        Raises:
            ValueError: If a camera is outside [-1, ``num_cams``).
        """
        unknown = self.weight.mean(dim=0, keepdim=True)
        if camids is None:
            return unknown
        strange = sorted({camid for camid in camids if not -1 <= camid < self.num_cams})
        if strange:
            raise ValueError(
                f'camid must be in [0, {self.num_cams - 1}] or -1 when unknown, got {strange}; '
                'build the model with the num_cams of the training set'
            )
        index = torch.tensor([self.num_cams if camid == -1 else camid for camid in camids])
        # With device=… the copy would wait until the device is idle.
        index = index.to(self.weight.device, non_blocking=True)
        table = torch.cat([self.weight, unknown])
        return table[index]  # (B, dim)
