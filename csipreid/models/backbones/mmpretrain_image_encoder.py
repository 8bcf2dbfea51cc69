"""Any mmpretrain backbone as an image encoder."""

import torch
from mmengine.model import BaseModule
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS
from torch import Tensor, nn

from csipreid.models.backbones.image_tokens import ImageTokens
from csipreid.registry import MODELS


@MODELS.register_module()
class MMPretrainImageEncoder(BaseModule):
    """Wrap an mmpretrain backbone and add a linear projection.

    The last output of the backbone becomes tokens: of a feature map, its mean
    is the global token, followed by its cells, rows first; of a token
    sequence, the first token is the global one; a vector is the only token.
    A ``class_offset`` is added to the global token behind the backbone, since
    a convolution has no class token to add it to. All outputs that are feature
    maps are given to heads that find something in the frame; the backbone's
    ``out_indices`` choose them.

    Args:
        backbone: Config of the mmpretrain backbone, for example
            ``dict(type='ResNet', depth=50)``.
        image_size: Height and width of the frames, pixels.
        embed_dim: Width D of the projection.
        frozen: Whether the encoder stays in evaluation mode, without gradient.
        init_cfg: MMEngine initialisation of the whole encoder; the backbone
            dict may have its own.

    Attributes:
        feat_dim: Width W of the tokens, read from the backbone's output.
        embed_dim: Width D of the projected tokens.
        map_channels: Channels of the maps, in the order of the backbone's outputs.
    """

    def __init__(
        self,
        backbone: dict,
        image_size: tuple[int, int] = (256, 128),
        embed_dim: int = 512,
        frozen: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        # A run's default scope is ours; the names here are mmpretrain's.
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            self.backbone = MMPRETRAIN_MODELS.build(backbone)
        self.feat_dim, self.map_channels = self._probe(image_size)
        self.embed_dim = embed_dim
        self.projection = nn.Linear(self.feat_dim, embed_dim, bias=False)
        nn.init.normal_(self.projection.weight, std=self.feat_dim**-0.5)
        self.frozen = frozen
        if frozen:
            self.requires_grad_(False)
            self.eval()

    def train(self, mode: bool = True) -> 'MMPretrainImageEncoder':
        """Set the training mode; a frozen encoder stays in evaluation mode."""
        super().train(mode and not self.frozen)
        return self

    def forward(self, frames: Tensor, class_offset: Tensor | None = None) -> ImageTokens:
        """Encode N frames.

        Args:
            frames: Normalised RGB, float, (N, 3, H, W).
            class_offset: Added to the global token, float, (N, W), or (1, W) for all.

        Returns:
            Global token, then the tokens of the backbone; its maps; and the mean of
            the last but one of these.
        """
        outputs = self.backbone(frames)
        tokens = _to_tokens(outputs)  # (N, L, W)
        if class_offset is not None:
            head = tokens[:, :1] + class_offset[:, None]
            tokens = torch.cat([head, tokens[:, 1:]], dim=1)
        maps = _maps(outputs)
        early = maps[-2].mean(dim=(2, 3)) if len(maps) > 1 else None
        return ImageTokens(tokens, self.projection(tokens), maps, early)

    def global_embedding(self, frames: Tensor, class_offset: Tensor | None = None) -> Tensor:
        """Encode N frames to their projected global tokens alone.

        Args:
            frames: As for :meth:`forward`.
            class_offset: As for :meth:`forward`.

        Returns:
            What :meth:`forward` calls ``projected[:, 0]``, float, (N, D).
        """
        token = _to_tokens(self.backbone(frames), only_global=True)[:, 0]  # (N, W)
        return self.projection(token if class_offset is None else token + class_offset)

    @torch.no_grad()
    def _probe(self, image_size: tuple[int, int]) -> tuple[int, tuple[int, ...]]:
        """Return the width of the backbone's tokens and the channels of its maps."""
        self.backbone.eval()  # batch statistics must not see the probe
        outputs = self.backbone(torch.zeros(1, 3, *image_size))
        self.backbone.train()
        return _to_tokens(outputs).shape[-1], tuple(part.shape[1] for part in _maps(outputs))


def _maps(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return those outputs of a backbone that are maps (N, C, h, w)."""
    parts = (outputs,) if isinstance(outputs, Tensor) else tuple(outputs)
    return tuple(part for part in parts if part.ndim == 4)


def _to_tokens(outputs: Tensor | tuple[Tensor, ...], only_global: bool = False) -> Tensor:
    """Turn the last output of a backbone into tokens (N, L, W), or the global one first."""
    last = outputs if isinstance(outputs, Tensor) else outputs[-1]
    if last.ndim == 4:  # (N, W, h, w)
        if only_global:
            return last.mean(dim=(2, 3))[:, None]
        cells = last.flatten(2).transpose(1, 2)  # (N, h * w, W)
        return torch.cat([cells.mean(dim=1, keepdim=True), cells], dim=1)
    if last.ndim == 3:
        return last
    if last.ndim == 2:
        return last[:, None]
    raise ValueError(
        'the backbone must return a map (N, C, H, W), tokens (N, L, C) or a vector (N, C), got '
        f'a tensor of shape {tuple(last.shape)}'
    )
