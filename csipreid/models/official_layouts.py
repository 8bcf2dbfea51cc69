"""Which module of published code is which of ours, method by method."""

from dataclasses import dataclass

# Module of the published code, ours, tensors. '#' counts layers; 'affine' is a
# weight and a bias, 'norm' a batch norm, '=' a tensor that is no module's.
_TOWER = """
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
""".format(vit='image_encoder.transformer.resblocks.#')
_CSIP_PARTS = """
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
""".format(sgt='skeleton_encoder.skeleton_graph_transformer')
_UPDATER = """
{updater}.memory_proj.0                             prototype_updater.memory_proj.0          affine
{updater}.memory_proj.1                             prototype_updater.memory_proj.1          affine
{updater}.memory_proj.2                             prototype_updater.memory_proj.2          affine
{updater}.text_proj.0                               prototype_updater.prototype_proj.0       affine
{updater}.text_proj.1                               prototype_updater.prototype_proj.1       affine
{updater}.decoder.#.self_attn.q_proj                {layer}.self_attn.q_proj                 weight
{updater}.decoder.#.self_attn.k_proj                {layer}.self_attn.k_proj                 weight
{updater}.decoder.#.self_attn.v_proj                {layer}.self_attn.v_proj                 weight
{updater}.decoder.#.self_attn.proj                  {layer}.self_attn.proj                   affine
{updater}.decoder.#.cross_attn.q_proj               {layer}.cross_attn.q_proj                weight
{updater}.decoder.#.cross_attn.k_proj               {layer}.cross_attn.k_proj                weight
{updater}.decoder.#.cross_attn.v_proj               {layer}.cross_attn.v_proj                weight
{updater}.decoder.#.cross_attn.proj                 {layer}.cross_attn.proj                  affine
{updater}.decoder.#.norm1                           {layer}.norm1                            affine
{updater}.decoder.#.norm2                           {layer}.norm2                            affine
{updater}.decoder.#.norm3                           {layer}.norm3                            affine
{updater}.decoder.#.mlp.0                           {layer}.ffn.0                            affine
{updater}.decoder.#.mlp.3                           {layer}.ffn.3                            affine
{updater}.out_proj.0                                prototype_updater.out_proj.0             affine
{updater}.out_proj.1                                prototype_updater.out_proj.1             affine
"""
_GUIDED = """
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
"""
_DIFFUSION = """
{tmd}.message_fc                              temporal.image_message                   affine
{tmd}.message_ln                              temporal.image_message_norm              affine
{tmd}.message_attn                            temporal.image_message_attn              attention
{tmd}.attn                                    temporal.attn                            attention
{tmd}.ln_1                                    temporal.norm1                           affine
{tmd}.ln_2                                    temporal.norm2                           affine
{tmd}.mlp.c_fc                                temporal.ffn.0                           affine
{tmd}.mlp.c_proj                              temporal.ffn.3                           affine
""".format(tmd='TMD.resblocks.0')
_HEADS = """
{classifier}                                  image_head.classifier                    weight
bottleneck                                    image_head.neck                          norm
classifier_proj                               projected_head.classifier                weight
bottleneck_proj                               projected_head.neck                      norm
"""
_TEMPORAL_HEAD = """
classifier_proj_temp                          temporal_head.classifier                 weight
bottleneck_proj_temp2                         temporal_head.neck                       norm
bottleneck_proj_temp                          temporal_head.frame_neck                 norm
"""
_LEAVES = {
    '=': ('',),
    'weight': ('.weight',),
    'affine': ('.weight', '.bias'),
    'norm': ('.weight', '.bias', '.running_mean', '.running_var', '.num_batches_tracked'),
    'attention': ('.in_proj_weight', '.in_proj_bias', '.out_proj.weight', '.out_proj.bias'),
}


@dataclass(frozen=True)
class OfficialLayout:
    """Keys of one published method and ours.

    Args:
        name: Of the method.
        table: Lines of modules, as above.
        unused: Keys of published checkpoints without effect on any result of ours.
        apart: Beginnings of keys that the model of stage 2 does not hold.
        optional: Keys that a checkpoint has or not, as it was trained.
        ours_only: Keys of our checkpoints that published ones do not have.
    """

    name: str
    table: str
    unused: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    ours_only: tuple[str, ...] = ()

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Published key and ours of every tensor; '#' stands for the number of a layer."""
        rows = (line.split() for line in self.table.splitlines() if line)
        return [
            (theirs + leaf, ours + leaf) for theirs, ours, kind in rows for leaf in _LEAVES[kind]
        ]

    def is_apart(self, key: str) -> bool:
        """Tell whether a published key is of none of our tensors."""
        return key in self.unused or key.startswith(self.apart or ('\0',))


ENCODING = 'skeleton_encoder.encoding'
_BANK = ('prototype_bank.image_prototypes', 'prototype_bank.skeleton_prototypes')
_FILLED = 'prototype_bank.filled'

CSIP = OfficialLayout(
    name='CSIP-ReID',
    table=_TOWER
    + _CSIP_PARTS
    + _UPDATER.format(updater='VTU', layer='prototype_updater.layers.#')
    + _GUIDED
    + _HEADS.format(classifier='classifier')
    + _TEMPORAL_HEAD,
    unused=(
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
    ),
    ours_only=(ENCODING, *_BANK, _FILLED),
)
TFCLIP = OfficialLayout(
    name='TF-CLIP',
    table=_TOWER
    + _UPDATER.format(updater='SSP', layer='prototype_updater.layers.#')
    + _DIFFUSION
    + _HEADS.format(classifier='classifier2')
    + _TEMPORAL_HEAD,
    unused=('SSP.alpha', 'SSP.norm.weight', 'SSP.norm.bias', 'classifier_proj_temp2.weight'),
    ours_only=(_BANK[0], _FILLED),
)
CLIPREID = OfficialLayout(
    name='CLIP-ReID',
    table=_TOWER + _HEADS.format(classifier='classifier'),
    apart=('prompt_learner.', 'text_encoder.'),
    optional=('cv_embed', 'camera_embedding.weight'),
    ours_only=('prototype_bank.text_prototypes', _FILLED),
)


def layout_of_official(keys: set[str]) -> OfficialLayout:
    """Tell from its keys which method a published checkpoint is of; CSIP-ReID if in doubt."""
    beginnings = {key.split('.')[0] for key in keys}
    if 'prompt_learner' in beginnings:
        return CLIPREID
    return TFCLIP if 'SSP' in beginnings else CSIP


def layout_of_ours(keys: set[str]) -> OfficialLayout:
    """Tell from its keys which method a checkpoint of ours is of; CSIP-ReID if in doubt."""
    if 'prototype_bank.text_prototypes' in keys:
        return CLIPREID
    beginnings = {key.split('.')[0] for key in keys}
    without = 'skeleton_encoder' not in beginnings
    return TFCLIP if without and 'prototype_updater' in beginnings else CSIP
