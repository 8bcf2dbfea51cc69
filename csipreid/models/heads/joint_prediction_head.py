"""From feature maps of a frame to the skeleton of the person in it."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from csipreid.registry import MODELS
from csipreid.skeletons import get_layout

# Mean bone lengths that a box around an upright person is high and wide: about 1.9 m and 0.9 m
# at 27 cm. Only where training begins; each frame's size is predicted.
_BOX_HEIGHT, _BOX_WIDTH = 7.0, 3.3


@MODELS.register_module()
class JointPredictionHead(nn.Module):
    """Predict a root-relative 3D skeleton, in units of its mean bone length.

    Each joint has a heat map over the frame, whose mean place is where the joint is
    (an integral, so a joint is found more finely than the map is drawn), and a depth
    map that is averaged with the same weights. The size of the box, which says how
    much of a body a pixel is, is predicted from the whole frame.

    Source:
        Sun et al., "Integral Human Pose Regression", ECCV 2018.

    Args:
        map_channels: Channels of the encoder's maps, the finest first.
        feat_dim: Width W of the frame's global token.
        layout: Name of the joint layout.
        hidden_channels: Width at which the maps are joined.

    Raises:
        ValueError: If the encoder has no maps.
    """

    def __init__(
        self,
        map_channels: Sequence[int],
        feat_dim: int,
        layout: str = 'h36m',
        hidden_channels: int = 32,
    ) -> None:
        super().__init__()
        if not map_channels:
            raise ValueError('the image encoder has no feature maps, so no joint can be found')
        self.layout = get_layout(layout)
        self.laterals = nn.ModuleList(
            nn.Conv2d(channels, hidden_channels, 1) for channels in map_channels
        )
        self.fuse = nn.Sequential(
            nn.BatchNorm2d(hidden_channels),
            nn.ReLU(),
            nn.Conv2d(hidden_channels, hidden_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(hidden_channels),
            nn.ReLU(),
        )
        self.heat = nn.Conv2d(hidden_channels, self.layout.num_joints, 1)
        self.depth = nn.Conv2d(hidden_channels, self.layout.num_joints, 1)
        self.box_size = nn.Linear(feat_dim, 2)  # logarithms of width and height
        nn.init.zeros_(self.box_size.weight)
        with torch.no_grad():
            self.box_size.bias.copy_(torch.tensor([math.log(_BOX_WIDTH), math.log(_BOX_HEIGHT)]))

    def forward(self, maps: Sequence[Tensor], global_tokens: Tensor) -> Tensor:
        """Predict the skeletons of N frames.

        Args:
            maps: Feature maps, the finest first, float, (N, C, h, w) each.
            global_tokens: Float, (N, W).

        Returns:
            Joints in camera axes (x right, y down, z forward), root at the origin,
            in mean bone lengths, float, (N, V, 3).
        """
        size = maps[0].shape[-2:]
        joined = sum(
            F.interpolate(lateral(part), size=size, mode='bilinear', align_corners=False)
            for lateral, part in zip(self.laterals, maps, strict=True)
        )
        features = self.fuse(joined)  # (N, hidden, h, w)
        # In float32: a mean place in half precision would be coarse.
        weights = self.heat(features).float().flatten(2).softmax(dim=-1)  # (N, V, h * w)
        depth = (weights * self.depth(features).float().flatten(2)).sum(dim=-1)  # (N, V)
        places = weights @ _cell_centres(size, weights.device)  # (N, V, 2), in [0, 1]
        box = self.box_size(global_tokens).float().exp()[:, None]  # (N, 1, 2)
        joints = torch.cat([places * box, depth[..., None]], dim=-1)
        return joints - joints[:, self.layout.root : self.layout.root + 1]


def _cell_centres(size: Sequence[int], device: torch.device) -> Tensor:
    """Return x and y of the cells of a map, rows first, in [0, 1], (h * w, 2)."""
    rows, columns = (
        (torch.arange(count, device=device, dtype=torch.float32) + 0.5) / count for count in size
    )
    y, x = torch.meshgrid(rows, columns, indexing='ij')
    return torch.stack([x.flatten(), y.flatten()], dim=1)
