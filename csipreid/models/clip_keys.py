"""Keys and shapes of CLIP's image tower in other libraries and in ours, as pure functions."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from mmpretrain.models.utils import resize_pos_embed
from torch import Tensor

# OpenAI's and open_clip's name, that of transformers, ours. '#' counts layers.
_TABLE = """
class_embedding       embeddings.class_embedding                 cls_token
positional_embedding  embeddings.position_embedding.weight       pos_embed
conv1.weight          embeddings.patch_embedding.weight          patch_embed.projection.weight
ln_pre.weight         pre_layrnorm.weight                        pre_norm.weight
ln_pre.bias           pre_layrnorm.bias                          pre_norm.bias
ln_post.weight        post_layernorm.weight                      ln1.weight
ln_post.bias          post_layernorm.bias                        ln1.bias
proj                  visual_projection.weight                   projection.weight
{o}.ln_1.weight       {t}.layer_norm1.weight                     layers.#.ln1.weight
{o}.ln_1.bias         {t}.layer_norm1.bias                       layers.#.ln1.bias
{o}.attn.in_proj_weight   {t}.self_attn.q|k|v_proj.weight        layers.#.attn.qkv.weight
{o}.attn.in_proj_bias     {t}.self_attn.q|k|v_proj.bias          layers.#.attn.qkv.bias
{o}.attn.out_proj.weight  {t}.self_attn.out_proj.weight          layers.#.attn.proj.weight
{o}.attn.out_proj.bias    {t}.self_attn.out_proj.bias            layers.#.attn.proj.bias
{o}.ln_2.weight       {t}.layer_norm2.weight                     layers.#.ln2.weight
{o}.ln_2.bias         {t}.layer_norm2.bias                       layers.#.ln2.bias
{o}.mlp.c_fc.weight   {t}.mlp.fc1.weight                         layers.#.ffn.layers.0.0.weight
{o}.mlp.c_fc.bias     {t}.mlp.fc1.bias                           layers.#.ffn.layers.0.0.bias
{o}.mlp.c_proj.weight {t}.mlp.fc2.weight                         layers.#.ffn.layers.1.weight
{o}.mlp.c_proj.bias   {t}.mlp.fc2.bias                           layers.#.ffn.layers.1.bias
""".format(o='transformer.resblocks.#', t='encoder.layers.#')
_ROWS = tuple(tuple(line.split()) for line in _TABLE.strip().splitlines())

# What such files hold besides the image tower; no image feature depends on it.
_BESIDES = re.compile(
    r'(transformer\.resblocks\.|token_embedding\.|ln_final\.|text\.|text_model\.|text_projection'
    r'|positional_embedding$|logit_scale$|logit_bias$|input_resolution$|context_length$'
    r'|vocab_size$|(vision_model\.)?embeddings\.position_ids$)'
)

# Width, patch size and width of the projection of CLIP's towers.
ARCHS = {(768, 32, 512): 'b32', (768, 16, 512): 'b16', (1024, 14, 768): 'l14'}


class ClipTower(NamedTuple):
    """A converted image tower.

    Attributes:
        state_dict: Weights of a ``CLIPVisionTransformer``, float32.
        arch: Which of CLIP's towers it is: 'b32', 'b16' or 'l14'.
        num_layers: Its layers; fewer than CLIP's in a reduced model.
        source_grid: Rows and columns of patches of the source.
        grid: The same of the result.
        library: What the names of the source are like.
        left_out: Names of the source that no image feature depends on.
    """

    state_dict: dict[str, Tensor]
    arch: str
    num_layers: int
    source_grid: tuple[int, int]
    grid: tuple[int, int]
    library: str
    left_out: list[str]

    @property
    def arch_config(self) -> str | dict[str, int]:
        """The ``arch`` of a ``CLIPVisionTransformer`` that it fits."""
        width = self.state_dict['cls_token'].shape[-1]
        if self.num_layers == (24 if self.arch == 'l14' else 12):
            return self.arch
        return dict(
            embed_dims=width,
            num_layers=self.num_layers,
            num_heads=width // 64,
            feedforward_channels=4 * width,
            patch_size=int(self.arch[1:]),
        )


def clip_to_csipreid(source: Mapping[str, Tensor], image_size: tuple[int, int]) -> ClipTower:
    """Convert the image tower of a CLIP state dict.

    A position embedding of another grid is resized: bilinear, corners not
    aligned, without antialiasing, the class token's row kept. The grid of the
    source is taken to be square where its number of patches is a square;
    otherwise it has to be that of ``image_size`` already.

    Args:
        source: Of OpenAI's CLIP, open_clip or transformers, whole or the image
            tower alone, of any precision.
        image_size: Height and width of the frames, pixels.

    Raises:
        ValueError: If it is no ViT-B/32, B/16 or L/14 tower, or a key is
            missing or unknown, or a shape does not fit.
    """
    keys = {key.removeprefix('module.'): key for key in source}  # as parallel training saves it
    library, names = _names(keys)
    expected = {part for parts in names.values() for part in parts}
    left_out = sorted(key for key in keys if key not in expected)
    _check(set(keys), expected, [key for key in left_out if not _BESIDES.match(key)], library)

    state = {
        mine: torch.cat([source[keys[part]].detach().float() for part in parts])
        for mine, parts in names.items()
    }
    if library != 'transformers':
        state['projection.weight'] = state['projection.weight'].T.contiguous()
    arch, num_layers = _check_shapes(state)
    state['cls_token'] = state['cls_token'][None, None]
    patch_size = state['patch_embed.projection.weight'].shape[-1]
    grid = (image_size[0] // patch_size, image_size[1] // patch_size)
    if not all(grid):
        raise ValueError(f'image_size {image_size} is smaller than a patch of {patch_size} pixels')
    source_grid = _source_grid(len(state['pos_embed']) - 1, grid)
    state['pos_embed'] = state['pos_embed'][None]
    if source_grid != grid:
        state['pos_embed'] = resize_pos_embed(state['pos_embed'], source_grid, grid, 'bilinear')
    return ClipTower(state, arch, num_layers, source_grid, grid, library, left_out)


def _names(keys: Iterable[str]) -> tuple[str, dict[str, list[str]]]:
    """Find out whose names the keys are.

    Returns:
        The library, and our name to one or more of theirs, which are
        concatenated.

    Raises:
        ValueError: If they are nobody's.
    """
    keys = set(keys)
    for library, column, prefix in (
        ('OpenAI or open_clip', 0, 'visual.'),
        ('OpenAI or open_clip', 0, ''),
        ('transformers', 1, 'vision_model.'),
        ('transformers', 1, ''),
    ):
        patches = prefix + _ROWS[2][column]
        if patches not in keys or prefix + _ROWS[0][column] not in keys:
            continue
        stack = re.compile(re.escape(prefix + _ROWS[8][column].split('#')[0]) + r'(\d+)\.')
        found = (stack.match(key) for key in keys)
        depth = max((int(match[1]) + 1 for match in found if match), default=1)
        names: dict[str, list[str]] = {}
        for row in _ROWS:
            theirs = (
                row[column] if row[column] == 'visual_projection.weight' else prefix + row[column]
            )
            parts = [theirs.replace('q|k|v', part) for part in 'qkv'] if '|' in theirs else [theirs]
            for layer in range(depth if '#' in row[2] else 1):
                names[row[2].replace('#', str(layer))] = [
                    part.replace('#', str(layer)) for part in parts
                ]
        return library, names
    kind = "CLIP's ResNet is not supported; " if any('layer1.0.' in key for key in keys) else ''
    raise ValueError(
        f'no CLIP Vision Transformer found among the {len(keys)} keys, such as '
        f'{", ".join(sorted(keys)[:3])}; {kind}expected ViT-B/32, B/16 or L/14 of OpenAI, '
        'open_clip or transformers'
    )


def _check(keys: set[str], expected: set[str], unknown: list[str], library: str) -> None:
    """Refuse missing and unknown keys.

    Raises:
        ValueError: If there are any.
    """
    problems = [
        f'{len(names)} keys are {kind}: {", ".join(names[:5])}{" …" if len(names) > 5 else ""}'
        for kind, names in (('missing', sorted(expected - keys)), ('unknown', unknown))
        if names
    ]
    if problems:
        raise ValueError(f'not an image tower of {library}: {"; ".join(problems)}')


def _check_shapes(state: Mapping[str, Tensor]) -> tuple[str, int]:
    """Return which tower it is, and its number of layers.

    Raises:
        ValueError: If it is none of CLIP's, or a shape contradicts the others.
    """
    kernel = state['patch_embed.projection.weight']
    sizes = (kernel.shape[0], kernel.shape[-1], state['projection.weight'].shape[0])
    if sizes not in ARCHS:
        known = ', '.join(f'{name} {size}' for size, name in ARCHS.items())
        raise ValueError(
            f'(width, patch size, width of the projection) is {sizes}, expected one of {known}'
        )
    width, patch_size, embed_dim = sizes
    num_layers = sum(key.endswith('.ln1.weight') for key in state)
    shapes = dict(
        cls_token=(width,),
        pos_embed=(len(state['pos_embed']), width),
        **{
            'patch_embed.projection.weight': (width, 3, patch_size, patch_size),
            'projection.weight': (embed_dim, width),
            'attn.qkv.weight': (3 * width, width),
            'attn.qkv.bias': (3 * width,),
            'attn.proj.weight': (width, width),
            'ffn.layers.0.0.weight': (4 * width, width),
            'ffn.layers.0.0.bias': (4 * width,),
            'ffn.layers.1.weight': (width, 4 * width),
        },
    )
    for name, tensor in state.items():
        shape = shapes.get(re.sub(r'^layers\.\d+\.', '', name), (width,))
        if tuple(tensor.shape) != shape:
            raise ValueError(f'{name} has shape {tuple(tensor.shape)}, expected {shape}')
    return ARCHS[sizes], num_layers


def _source_grid(num_patches: int, grid: tuple[int, int]) -> tuple[int, int]:
    """Return rows and columns of a position embedding.

    Raises:
        ValueError: If they cannot be known.
    """
    side = math.isqrt(num_patches)
    if side * side == num_patches:
        return side, side
    if num_patches == grid[0] * grid[1]:
        return grid
    raise ValueError(
        f'the position embedding has {num_patches} patches, neither a square grid nor the '
        f'{grid[0]} x {grid[1]} of the image size; give the image size the weights are for'
    )
