"""From feature maps of a frame to the skeleton of the person in it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from csipreid.models.skeleton_scale import BOX_HEIGHT, BOX_WIDTH
from csipreid.registry import MODELS
from csipreid.skeletons import get_layout


@MODELS.register_module()
class JointPredictionHead(nn.Module):
    """Find the joints of a person in a frame: dense supervision for an image tower.

    Each joint has a heat map over the frame, whose mean place is where the joint is
    (an integral, so a joint is found more finely than the map is drawn), and a depth
    map that is averaged with the same weights.

    Source:
        Sun et al., "Integral Human Pose Regression", ECCV 2018. That a second target,
        there in training only, makes a better tower: Vapnik and Vashist, "A New
        Learning Paradigm: Learning Using Privileged Information", Neural Networks 2009.

    Args:
        map_channels: Channels of the encoder's maps, the finest first.
        layout: Name of the joint layout.
        hidden_channels: Width at which the maps are joined.

    Raises:
        ValueError: If the encoder has no maps.
    """

    def __init__(
        self, map_channels: Sequence[int], layout: str = 'h36m', hidden_channels: int = 64
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

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Find the joints in N frames.

        Args:
            maps: Feature maps, the finest first, float, (N, C, h, w) each.

        Returns:
            Joints (x right, y down, z forward) about the root, in mean bone lengths
            if the box fits an average person, float32, (N, V, 3).
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
        places = torch.einsum('nvp,pc->nvc', weights, _cell_centres(size, weights.device))
        joints = torch.cat([places, depth[..., None]], dim=-1)  # (N, V, 3)
        return joints - joints[:, self.layout.root : self.layout.root + 1]


def _cell_centres(size: Sequence[int], device: torch.device) -> Tensor:
    """Return x and y of the cells of a map, rows first, in mean bone lengths, (h * w, 2)."""
    y, x = (
        extent * (torch.arange(count, device=device, dtype=torch.float32) + 0.5) / count
        for count, extent in zip(size, (BOX_HEIGHT, BOX_WIDTH), strict=True)
    )
    rows, columns = torch.meshgrid(y, x, indexing='ij')
    return torch.stack([columns.flatten(), rows.flatten()], dim=1)
