"""Keys and shapes of CLIP's text tower in other libraries and in ours, as pure functions."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

# Name of OpenAI and open_clip, which is ours too, and that of transformers.
_TABLE = """
token_embedding.weight     embeddings.token_embedding.weight
positional_embedding       embeddings.position_embedding.weight
ln_final.weight            final_layer_norm.weight
ln_final.bias              final_layer_norm.bias
{o}.ln_1.weight            {t}.layer_norm1.weight
{o}.ln_1.bias              {t}.layer_norm1.bias
{o}.attn.in_proj_weight    {t}.self_attn.q|k|v_proj.weight
{o}.attn.in_proj_bias      {t}.self_attn.q|k|v_proj.bias
{o}.attn.out_proj.weight   {t}.self_attn.out_proj.weight
{o}.attn.out_proj.bias     {t}.self_attn.out_proj.bias
{o}.ln_2.weight            {t}.layer_norm2.weight
{o}.ln_2.bias              {t}.layer_norm2.bias
{o}.mlp.c_fc.weight        {t}.mlp.fc1.weight
{o}.mlp.c_fc.bias          {t}.mlp.fc1.bias
{o}.mlp.c_proj.weight      {t}.mlp.fc2.weight
{o}.mlp.c_proj.bias        {t}.mlp.fc2.bias
""".format(o='transformer.resblocks.#', t='encoder.layers.#')
_ROWS = tuple(tuple(line.split()) for line in _TABLE.strip().splitlines())
_PROJECTION = 'text_projection'  # (W, P); in transformers a layer, (P, W)


class ClipText(NamedTuple):
    """A converted text tower.

    Attributes:
        state_dict: Weights of a ``PromptedTextEncoder`` with the whole token embedding,
            float32.
        width: Width W of the tokens.
        num_layers: Layers.
        embed_dim: Width P of the projection.
    """

    state_dict: dict[str, Tensor]
    width: int
    num_layers: int
    embed_dim: int


def clip_text_to_csipreid(source: Mapping[str, Tensor]) -> ClipText:
    """Convert the text tower of a CLIP state dict.

    Args:
        source: Of OpenAI's CLIP, open_clip or transformers, of any precision.

    Raises:
        ValueError: If there is no text tower, or a key is missing, or a shape does not fit.
    """
    keys = {key.removeprefix('module.'): key for key in source}
    for column, prefix in ((0, ''), (0, 'text.'), (1, 'text_model.')):
        if prefix + _ROWS[0][column] in keys:
            break
    else:
        raise ValueError(
            'there is no text tower among the keys; --with-text needs the whole CLIP, '
            'not the image tower alone'
        )
    stack = re.compile(re.escape(prefix + _ROWS[4][column].split('#')[0]) + r'(\d+)\.')
    found = (stack.match(key) for key in keys)
    num_layers = max((int(match[1]) + 1 for match in found if match), default=1)
    state = {}
    for row in _ROWS:
        for layer in range(num_layers if '#' in row[0] else 1):
            theirs = prefix + row[column].replace('#', str(layer))
            names = [theirs.replace('q|k|v', part) for part in 'qkv'] if '|' in theirs else [theirs]
            parts = [_take(source, keys, name) for name in names]
            state[row[0].replace('#', str(layer))] = torch.cat(parts)
    if column:
        state[_PROJECTION] = _take(source, keys, f'{_PROJECTION}.weight').T.contiguous()
    else:
        state[_PROJECTION] = _take(source, keys, prefix + _PROJECTION)
    return ClipText(state, *_check_shapes(state, num_layers))


def _take(source: Mapping[str, Tensor], keys: Mapping[str, str], name: str) -> Tensor:
    """Return one tensor as float32.

    Raises:
        ValueError: If it is missing.
    """
    if name not in keys:
        raise ValueError(f'not a text tower of CLIP: the key {name} is missing')
    return source[keys[name]].detach().float()


def _check_shapes(state: Mapping[str, Tensor], num_layers: int) -> tuple[int, int, int]:
    """Return width, layers and width of the projection.

    Raises:
        ValueError: If a shape contradicts the others.
    """
    width, embed_dim = state['ln_final.weight'].shape[0], state[_PROJECTION].shape[-1]
    shapes = {
        'token_embedding.weight': (len(state['token_embedding.weight']), width),
        'positional_embedding': (len(state['positional_embedding']), width),
        _PROJECTION: (width, embed_dim),
        'attn.in_proj_weight': (3 * width, width),
        'attn.in_proj_bias': (3 * width,),
        'attn.out_proj.weight': (width, width),
        'mlp.c_fc.weight': (4 * width, width),
        'mlp.c_fc.bias': (4 * width,),
        'mlp.c_proj.weight': (width, 4 * width),
    }
    for name, tensor in state.items():
        shape = shapes.get(re.sub(r'^transformer\.resblocks\.\d+\.', '', name), (width,))
        if tuple(tensor.shape) != shape:
            raise ValueError(f'{name} has shape {tuple(tensor.shape)}, expected {shape}')
    return width, num_layers, embed_dim
