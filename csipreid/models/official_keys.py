"""Keys of the published CSIP-ReID checkpoints and of ours, as pure functions."""

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from csipreid.models.backbones.published_encoding import PUBLISHED_H36M_ENCODING

# Module of the published code, ours, tensors. '#' counts layers; 'affine' is a
# weight and a bias, 'norm' a batch norm, '=' a tensor that is no module's.
_TABLE = """
cv_embed                                      camera_embedding.weight                  =
image_encoder.class_embedding                 image_encoder.cls_token                  =
image_encoder.positional_embedding            image_encoder.pos_embed                  =
image_encoder.proj                            image_encoder.projection.weight          =
image_encoder.conv1                           image_encoder.patch_embed.projection     weight
image_encoder.ln_pre                          image_encoder.pre_norm                   affine
image_encoder.ln_post                         image_encoder.ln1                        affine
{vit}.ln_1                                    image_encoder.layers.#.ln1               affine
{vit}.attn.in_proj_weight                     image_encoder.layers.#.attn.qkv.weight   =
{vit}.attn.in_proj_bias                       image_encoder.layers.#.attn.qkv.bias     =
{vit}.attn.out_proj                           image_encoder.layers.#.attn.proj         affine
{vit}.ln_2                                    image_encoder.layers.#.ln2               affine
{vit}.mlp.c_fc                                image_encoder.layers.#.ffn.layers.0.0    affine
{vit}.mlp.c_proj                              image_encoder.layers.#.ffn.layers.1      affine
skeleton_encoder.proj_ske                     skeleton_head.projection.weight          =
{sgt}.input_fc1                               skeleton_encoder.joint_embed.0           affine
{sgt}.input_fc2                               skeleton_encoder.joint_embed.2           affine
{sgt}.pos_fc                                  skeleton_encoder.encoding_embed          affine
{sgt}.transformer_blocks.#.qkv_proj           skeleton_encoder.layers.#.qkv            affine
{sgt}.transformer_blocks.#.out_proj           skeleton_encoder.layers.#.proj           affine
{sgt}.transformer_blocks.#.ffn.0              skeleton_encoder.layers.#.ffn.0          affine
{sgt}.transformer_blocks.#.ffn.3              skeleton_encoder.layers.#.ffn.3          affine
{sgt}.transformer_blocks.#.norm1              skeleton_encoder.layers.#.norm1          affine
{sgt}.transformer_blocks.#.norm2              skeleton_encoder.layers.#.norm2          affine
PF.fc.0                                       prototype_updater.gate.0                 affine
PF.fc.2                                       prototype_updater.gate.2                 affine
VTU.memory_proj.0                             prototype_updater.memory_proj.0          affine
VTU.memory_proj.1                             prototype_updater.memory_proj.1          affine
VTU.memory_proj.2                             prototype_updater.memory_proj.2          affine
VTU.text_proj.0                               prototype_updater.prototype_proj.0       affine
VTU.text_proj.1                               prototype_updater.prototype_proj.1       affine
VTU.decoder.#.self_attn.q_proj                {layer}.self_attn.q_proj                 weight
VTU.decoder.#.self_attn.k_proj                {layer}.self_attn.k_proj                 weight
VTU.decoder.#.self_attn.v_proj                {layer}.self_attn.v_proj                 weight
VTU.decoder.#.self_attn.proj                  {layer}.self_attn.proj                   affine
VTU.decoder.#.cross_attn.q_proj               {layer}.cross_attn.q_proj                weight
VTU.decoder.#.cross_attn.k_proj               {layer}.cross_attn.k_proj                weight
VTU.decoder.#.cross_attn.v_proj               {layer}.cross_attn.v_proj                weight
VTU.decoder.#.cross_attn.proj                 {layer}.cross_attn.proj                  affine
VTU.decoder.#.norm1                           {layer}.norm1                            affine
VTU.decoder.#.norm2                           {layer}.norm2                            affine
VTU.decoder.#.norm3                           {layer}.norm3                            affine
VTU.decoder.#.mlp.0                           {layer}.ffn.0                            affine
VTU.decoder.#.mlp.3                           {layer}.ffn.3                            affine
VTU.out_proj.0                                prototype_updater.out_proj.0             affine
VTU.out_proj.1                                prototype_updater.out_proj.1             affine
TMM.msg_fc_vis                                temporal.image_message                   affine
TMM.msg_ln_vis                                temporal.image_message_norm              affine
TMM.msg_attn_vis                              temporal.image_message_attn              attention
TMM.msg_fc_ske                                temporal.skeleton_message                affine
TMM.msg_ln_ske                                temporal.skeleton_message_norm           affine
TMM.msg_attn_ske                              temporal.skeleton_message_attn           attention
TMM.cross_attn_ske_to_vis                     temporal.cross_attn                      attention
TMM.norm_vis                                  temporal.cross_image_norm                affine
TMM.norm_ske                                  temporal.cross_skeleton_norm             affine
TMM.attention                                 temporal.attn                            attention
TMM.ln_1                                      temporal.norm1                           affine
TMM.ln_2                                      temporal.norm2                           affine
TMM.mlp.0                                     temporal.ffn.0                           affine
TMM.mlp.3                                     temporal.ffn.3                           affine
TMM.token_type_embed.weight                   temporal.type_embed                      =
TMM.token_attn_score.0                        temporal.score                           affine
classifier                                    image_head.classifier                    weight
classifier_proj                               projected_head.classifier                weight
classifier_proj_temp                          temporal_head.classifier                 weight
bottleneck                                    image_head.neck                          norm
bottleneck_proj                               projected_head.neck                      norm
bottleneck_proj_temp2                         temporal_head.neck                       norm
bottleneck_proj_temp                          temporal_head.frame_neck                 norm
""".format(
    vit='image_encoder.transformer.resblocks.#',
    sgt='skeleton_encoder.skeleton_graph_transformer',
    layer='prototype_updater.layers.#',
)
_LEAVES = {
    '=': ('',),
    'weight': ('.weight',),
    'affine': ('.weight', '.bias'),
    'norm': ('.weight', '.bias', '.running_mean', '.running_var', '.num_batches_tracked'),
    'attention': ('.in_proj_weight', '.in_proj_bias', '.out_proj.weight', '.out_proj.bias'),
}
_PAIRS = tuple(
    (theirs + leaf, ours + leaf)
    for theirs, ours, kind in (line.split() for line in _TABLE.strip().splitlines())
    for leaf in _LEAVES[kind]
)
_TRANSPOSED = ('image_encoder.proj', 'skeleton_encoder.proj_ske')  # (in, out) there
_UNSQUEEZED = {  # axes of size 1 that ours have in front
    'image_encoder.class_embedding': 2,
    'image_encoder.positional_embedding': 1,
}
_ENCODING = 'skeleton_encoder.encoding'

# In published checkpoints, but without effect on any result.
OFFICIAL_UNUSED = (
    *(
        f'skeleton_encoder.skeleton_graph_transformer.{head}.{layer}.{leaf}'
        for head in ('joint_prompt', 'traj_prompt')
        for layer in ('fc1', 'fc2')
        for leaf in ('weight', 'bias')
    ),
    'VTU.alpha',
    'VTU.norm.weight',
    'VTU.norm.bias',
    'classifier_proj_temp2.weight',
    'classifier_ske.weight',
    *(f'bottleneck_ske{leaf}' for leaf in _LEAVES['norm']),
)
# In our checkpoints, but not in published ones.
CSIPREID_ONLY = (
    _ENCODING,
    'prototype_bank.image_prototypes',
    'prototype_bank.skeleton_prototypes',
    'prototype_bank.filled',
)


def official_to_csipreid_keys(official: Iterable[str]) -> dict[str, str]:
    """Pair the keys of a published checkpoint with ours.

    Args:
        official: Keys of the checkpoint; they tell how many layers there are.

    Returns:
        Published key to ours, for all keys that have an effect.

    Raises:
        ValueError: If a key is missing or unknown.
    """
    keys = set(official)
    pairs = dict(_expand(keys, 0))
    _check(keys - set(OFFICIAL_UNUSED), set(pairs), 'published CSIP-ReID')
    return pairs


def csipreid_to_official_keys(ours: Iterable[str]) -> dict[str, str]:
    """Pair our keys of a stage-2 model with those of a published checkpoint.

    Args:
        ours: Keys of a ``VideoReID`` with all parts of the published model.

    Returns:
        Our key to the published one, for all keys that have one.

    Raises:
        ValueError: If a key is missing or unknown.
    """
    keys = set(ours)
    pairs = {mine: theirs for theirs, mine in _expand(keys, 1)}
    _check(keys - set(CSIPREID_ONLY), set(pairs), 'csipreid stage-2')
    return pairs


def official_to_csipreid(
    state_dict: Mapping[str, Tensor],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Convert a published state dict.

    Args:
        state_dict: Tensors in the published key layout.

    Returns:
        The state dict of a ``VideoReID`` without prototypes, with the table of
        the published positional encoding, which those weights were trained
        with; and the tensors that have no effect, under their published keys.

    Raises:
        ValueError: If a key is missing or unknown.
    """
    converted = {}
    for theirs, mine in official_to_csipreid_keys(state_dict).items():
        tensor = state_dict[theirs]
        tensor = tensor.T if theirs in _TRANSPOSED else tensor
        converted[mine] = tensor[(None,) * _UNSQUEEZED.get(theirs, 0)].contiguous()
    converted[_ENCODING] = torch.tensor(PUBLISHED_H36M_ENCODING)
    unused = {key: state_dict[key] for key in OFFICIAL_UNUSED if key in state_dict}
    return converted, unused


def csipreid_to_official(
    state_dict: Mapping[str, Tensor], unused: Mapping[str, Tensor] | None = None
) -> dict[str, Tensor]:
    """Convert the state dict of a ``VideoReID`` to the published layout.

    Args:
        state_dict: Of a model with all parts of the published one.
        unused: Tensors without effect to add, as :func:`official_to_csipreid`
            returns them.

    Returns:
        State dict in the published key layout.

    Raises:
        ValueError: If a key is missing or unknown, or the model's positional
            encoding is not the published table, which is not in such files.
    """
    encoding = state_dict.get(_ENCODING)
    table = torch.tensor(PUBLISHED_H36M_ENCODING)
    if encoding is not None and not torch.equal(encoding.cpu(), table):
        raise ValueError(
            'the skeleton encoder has another positional encoding than the published code, '
            "which would therefore compute other features; train with encoding='published'"
        )
    converted = {}
    for mine, theirs in csipreid_to_official_keys(state_dict).items():
        tensor = state_dict[mine][(0,) * _UNSQUEEZED.get(theirs, 0)]
        converted[theirs] = (tensor.T if theirs in _TRANSPOSED else tensor).contiguous()
    return {**converted, **(unused or {})}


def _expand(keys: set[str], side: int) -> list[tuple[str, str]]:
    """Replace '#' in the pairs by every layer number up to the largest in ``keys``."""
    expanded = []
    for pair in _PAIRS:
        if '#' not in pair[0]:
            expanded.append(pair)
            continue
        stack = re.escape(pair[side].split('#')[0])
        found = (re.match(stack + r'(\d+)\.', key) for key in keys)
        depth = max((int(match[1]) + 1 for match in found if match), default=1)
        for number in range(depth):
            theirs, ours = (key.replace('#', str(number)) for key in pair)
            expanded.append((theirs, ours))
    return expanded


def _check(keys: set[str], expected: set[str], layout: str) -> None:
    """Refuse keys that differ from the expected ones.

    Raises:
        ValueError: If a key is missing or unknown.
    """
    problems = [
        f'{len(names)} {kind}: {", ".join(sorted(names)[:5])}{" …" if len(names) > 5 else ""}'
        for kind, names in (('missing', expected - keys), ('unknown', keys - expected))
        if names
    ]
    if problems:
        raise ValueError(f'not a {layout} state dict; {"; ".join(problems)}')
