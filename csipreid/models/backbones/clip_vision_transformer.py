"""CLIP's image tower on mmpretrain's Vision Transformer."""

import math
from typing import Any, Literal

import torch
from mmengine.logging import MMLogger
from mmengine.model import ModuleList
from mmpretrain.models.backbones import VisionTransformer
from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor, nn

from csipreid.models.backbones.clip_encoder_layer import CLIPEncoderLayer
from csipreid.models.backbones.image_tokens import ImageTokens
from csipreid.registry import MODELS

# CLIP's towers: patch size, width of the projection, and the transformer.
_ARCHS: dict[str, dict[str, int]] = {
    'b16': dict(
        patch_size=16,
        embed_dim=512,
        embed_dims=768,
        num_layers=12,
        num_heads=12,
        feedforward_channels=3072,
    ),
    'b32': dict(
        patch_size=32,
        embed_dim=512,
        embed_dims=768,
        num_layers=12,
        num_heads=12,
        feedforward_channels=3072,
    ),
    'l14': dict(
        patch_size=14,
        embed_dim=768,
        embed_dims=1024,
        num_layers=24,
        num_heads=16,
        feedforward_channels=4096,
    ),
}
_ACTIVATIONS = {'quick_gelu': 'mmpretrain.QuickGELU', 'gelu': 'GELU'}
_ARCH_KEYS = {'patch_size', 'embed_dims', 'num_layers', 'num_heads', 'feedforward_channels'}


@MODELS.register_module()
class CLIPVisionTransformer(VisionTransformer):
    """Vision Transformer with CLIP's norm before the layers, QuickGELU and projection.

    A position embedding of another grid is resized when weights are loaded:
    bilinear, corners not aligned, as the published CSIP-ReID code does. The
    grid of the weights is taken to be square where their number of patches is
    a square, otherwise to have the aspect ratio of this encoder's grid.

    Where the patch size does not divide the image, the grid is rounded down
    and the last rows and columns are not seen, as in CLIP itself; the log
    says so once, at construction.

    Source:
        Radford et al., "Learning Transferable Visual Models From Natural
        Language Supervision", ICML 2021.

    Args:
        arch: CLIP's ViT-B/16, ViT-B/32 or ViT-L/14, or a dict with the keys
            ``embed_dims``, ``num_layers``, ``num_heads``,
            ``feedforward_channels`` and ``patch_size``.
        image_size: Height and width of the frames, pixels.
        embed_dim: Width D of the projection; None takes CLIP's own (512, for
            ViT-L/14 768, for a dict 512).
        activation: Non-linearity of the feed-forward layers. OpenAI's weights
            are made for 'quick_gelu'; those of open_clip for 'gelu', unless
            the name of the model ends in '-quickgelu'.
        frozen: Whether the encoder stays in evaluation mode, without gradient.
        init_cfg: MMEngine initialisation, for example ``dict(type='Pretrained',
            checkpoint=FILE)`` with a file of ``clip_to_csipreid.py``.

    Attributes:
        feat_dim: Width W of the tokens.
        embed_dim: Width D of the projected tokens.
        map_channels: Channels of its only map, the patches in their places.
    """

    layers: Any

    def __init__(
        self,
        arch: Literal['b16', 'b32', 'l14'] | dict[str, int] = 'b16',
        image_size: tuple[int, int] = (256, 128),
        embed_dim: int | None = None,
        frozen: bool = False,
        activation: Literal['quick_gelu', 'gelu'] = 'quick_gelu',
        init_cfg: dict | None = None,
    ) -> None:
        settings = _settings(arch)
        patch_size = settings.pop('patch_size')
        own_embed_dim = settings.pop('embed_dim', 512)
        if activation not in _ACTIVATIONS:
            raise ValueError(f'activation must be one of {list(_ACTIVATIONS)}, got {activation!r}')
        height, width = image_size
        if min(height, width) < patch_size:
            raise ValueError(
                f'image_size {(height, width)} is smaller than one patch of {patch_size} pixels'
            )
        super().__init__(
            arch=settings,
            img_size=(height, width),
            patch_size=patch_size,
            pre_norm=True,
            norm_cfg=dict(type='LN', eps=1e-5),
            layer_cfgs=dict(act_cfg=dict(type=_ACTIVATIONS[activation])),
            out_type='raw',
            interpolate_mode='bilinear',
            # Not channels-last: forward and backward of ViT-B/16's patch embedding, 16 frames
            # on two CPU cores, took 1.10 times as long with input and weight converted and
            # 1.27 times with the weight alone.
            patch_cfg=dict(padding=0),
            init_cfg=init_cfg,
        )
        if height % patch_size or width % patch_size:
            MMLogger.get_current_instance().warning(
                f'patches of {patch_size} pixels do not divide image_size {(height, width)}: the '
                f'last {height % patch_size} rows and {width % patch_size} columns are not seen'
            )
        self.layers = ModuleList(CLIPEncoderLayer(layer, activation) for layer in self.layers)
        self.feat_dim = settings['embed_dims']
        self.embed_dim = own_embed_dim if embed_dim is None else embed_dim
        self.map_channels = (self.feat_dim,)
        self.projection = nn.Linear(self.feat_dim, self.embed_dim, bias=False)
        nn.init.normal_(self.projection.weight, std=self.feat_dim**-0.5)
        self.frozen = frozen
        if frozen:
            self.requires_grad_(False)
            self.eval()

    def train(self, mode: bool = True) -> 'CLIPVisionTransformer':
        """Set the training mode; a frozen encoder stays in evaluation mode."""
        super().train(mode and not self.frozen)
        return self

    def forward(self, frames: Tensor, class_offset: Tensor | None = None) -> ImageTokens:
        """Encode N frames.

        Args:
            frames: Normalised RGB, float, (N, 3, H, W) with H, W = ``image_size``.
            class_offset: Added to the class token before the position
                embedding, float, (N, W), or (1, W) for all frames; the camera
                embedding goes here.

        Returns:
            Class token and one token per patch, rows first: L = 1 + h * w; and the
            class token before the last layer.

        Raises:
            ValueError: If the frames have another size.
        """
        tokens = self._embed_patches(frames, class_offset)
        for layer in self.layers[:-1]:
            tokens = layer(tokens)
        early = tokens[:, 0]
        tokens = self.ln1(self.layers[-1](tokens))  # (N, L, W)
        patches = tokens[:, 1:].transpose(1, 2).unflatten(2, self.patch_resolution)
        return ImageTokens(tokens, self.projection(tokens), (patches,), early)

    def global_embedding(self, frames: Tensor, class_offset: Tensor | None = None) -> Tensor:
        """Encode N frames to their projected class tokens alone, with less work.

        The last layer is computed for the class token only: its query looks at the
        keys of all tokens, and nobody looks at the others.

        Args:
            frames: As for :meth:`forward`.
            class_offset: As for :meth:`forward`.

        Returns:
            What :meth:`forward` calls ``projected[:, 0]``, float, (N, D).
        """
        tokens = self._embed_patches(frames, class_offset)
        for layer in self.layers[:-1]:
            tokens = layer(tokens)
        class_token = self.layers[-1](tokens, only_first=True)  # (N, 1, W)
        return self.projection(self.ln1(class_token))[:, 0]

    def _embed_patches(self, frames: Tensor, class_offset: Tensor | None) -> Tensor:
        """Return what the first layer receives, float, (N, L, W)."""
        if tuple(frames.shape[-2:]) != tuple(self.img_size):
            raise ValueError(
                f'frames must have size {tuple(self.img_size)} (height, width), got '
                f'{tuple(frames.shape[-2:])}; change image_size or the ResizeFrames transform'
            )
        patches, _ = self.patch_embed(frames)  # (N, h * w, W)
        class_token = self.cls_token.expand(patches.shape[0], -1, -1)  # (N, 1, W)
        if class_offset is not None:
            class_token = class_token + class_offset[:, None]
        return self.pre_norm(torch.cat([class_token, patches], dim=1) + self.pos_embed)

    def _prepare_pos_embed(
        self, state_dict: dict[str, Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Resize the position embedding of a state dict that is being loaded."""
        name = prefix + 'pos_embed'
        if name not in state_dict or state_dict[name].shape[1] == self.pos_embed.shape[1]:
            return
        num_patches = state_dict[name].shape[1] - 1
        source, target = self._source_grid(num_patches), tuple(self.patch_resolution)
        MMLogger.get_current_instance().info(
            f'position embedding resized from a grid of {source} to {target} patches'
        )
        state_dict[name] = resize_pos_embed(state_dict[name], source, target, 'bilinear')

    def _source_grid(self, num_patches: int) -> tuple[int, int]:
        """Guess the grid (rows, columns) of another position embedding."""
        side = math.isqrt(num_patches)
        if side * side == num_patches:
            return side, side
        rows, columns = self.patch_resolution
        height = round(math.sqrt(num_patches * rows / columns))
        width = num_patches // max(height, 1)
        if height * width != num_patches or height * columns != width * rows:
            raise ValueError(
                f'the position embedding has {num_patches} patches, which is neither a square '
                f'grid nor one shaped like {(rows, columns)}; load it into an encoder of its own '
                'image_size or convert it with --image-size'
            )
        return height, width


def _settings(arch: str | dict[str, int]) -> dict[str, int]:
    """Return the sizes of an architecture.

    Raises:
        ValueError: If the name is unknown or a key of the dict is missing.
    """
    if isinstance(arch, str):
        if arch not in _ARCHS:
            raise ValueError(f'arch must be one of {sorted(_ARCHS)} or a dict, got {arch!r}')
        return dict(_ARCHS[arch])
    if set(arch) != _ARCH_KEYS:
        raise ValueError(f'arch as a dict needs the keys {sorted(_ARCH_KEYS)}, got {sorted(arch)}')
    return dict(arch)
