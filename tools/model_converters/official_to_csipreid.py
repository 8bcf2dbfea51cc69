"""Convert checkpoints of published code to ours, and back.

CSIP-ReID (commit ac5a2ef), TF-CLIP (497a4f2) and CLIP-ReID (eb1898b), told apart by
their keys. Checkpoints of all stages hold the whole model. Keys that have no effect,
and the text side of CLIP-ReID, are kept apart, so that the way there and back gives
every tensor again. From that text side the texts of all identities are computed, which
needs open_clip.

Example::

    python tools/model_converters/official_to_csipreid.py stage2_best.pth csip_mars.pth
    python tools/model_converters/official_to_csipreid.py --reverse csip_mars.pth back.pth
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from csipreid.arguments import output_file
from csipreid.checkpoint import fill_module, read_checkpoint, select_part, write_checkpoint
from csipreid.models.backbones import PromptedTextEncoder
from csipreid.models.official_keys import (
    csipreid_to_official,
    official_to_csipreid,
    text_to_csipreid,
)
from csipreid.models.official_layouts import (
    CLIPREID,
    CSIP,
    OfficialLayout,
    layout_of_official,
    layout_of_ours,
)
from csipreid.registry import MODELS

_UNUSED = 'official_unused'  # where the converted file keeps keys without effect


def to_csipreid(official: Mapping[str, Tensor], dataset_name: str) -> dict[str, Any]:
    """Return a checkpoint of ours with the weights of a published one.

    Prototypes of images and skeletons are empty: the published code does not save
    them, and a training run builds them again.

    Raises:
        ValueError: If a key is missing or unknown.
    """
    state, apart = official_to_csipreid(official)
    layout = layout_of_official(set(official))
    check_shapes(state, layout)
    num_ids, embed_dim = state['projected_head.classifier.weight'].shape
    filled = 0
    for key in layout.ours_only:
        if key.endswith('_prototypes'):
            state[key] = torch.zeros(num_ids, embed_dim)
    if layout is CLIPREID:
        state['prototype_bank.text_prototypes'] = texts_of(apart, embed_dim)
        filled = 1
    state['prototype_bank.filled'] = torch.tensor(filled)
    cameras = state.get('camera_embedding.weight')
    num_cams = 0 if cameras is None else len(cameras)
    meta = dict(dataset_name=dataset_name, num_ids=num_ids, num_cams=num_cams)
    return dict(state_dict=state, meta=dict(dataset_meta=meta)) | {_UNUSED: apart}


@torch.no_grad()
def texts_of(apart: Mapping[str, Tensor], embed_dim: int) -> Tensor:
    """Compute the texts of all identities from the text side of CLIP-ReID, (K, P).

    Raises:
        ValueError: If a tensor is missing or does not fit.
    """
    state = text_to_csipreid(apart)
    words = state.pop('prompts')
    tower = select_part(state, 'text_encoder')
    if words.ndim != 3:
        raise ValueError(f'the words must have 3 axes, got {tuple(words.shape)}')
    width = words.shape[2]
    layers = {key.split('.')[2] for key in tower if key.startswith('transformer.resblocks.')}
    encoder = PromptedTextEncoder(
        embed_dim, width, max(len(layers), 1), num_heads=max(width // 64, 1)
    )
    fill_module(encoder, tower, 'the text tower')
    return torch.cat([encoder(part) for part in words.split(256)])


def check_shapes(state: Mapping[str, Tensor], layout: OfficialLayout) -> None:
    """Refuse tensors whose shapes do not fit together.

    Args:
        state: Of the model of stage 2, with all parts of the published one.
        layout: Which method it is of.

    Raises:
        ValueError: If one does not fit the model that the others make up.
    """
    keys = {
        'kernel': 'image_encoder.patch_embed.projection.weight',
        'pos_embed': 'image_encoder.pos_embed',
        'classifier': 'projected_head.classifier.weight',
        'cameras': 'camera_embedding.weight',
        'joints': 'skeleton_encoder.layers.0.ffn.0.weight',
        'updater': 'prototype_updater.layers.0.ffn.0.weight',
    }
    found = {name: state[key] for name, key in keys.items() if key in state}
    for name, tensor in found.items():
        ndim = dict(kernel=4, pos_embed=3).get(name, 2)
        if tensor.ndim != ndim:
            raise ValueError(f'the {name} must have {ndim} axes, got {tuple(tensor.shape)}')
    kernel, pos_embed, classifier = (found[name] for name in ('kernel', 'pos_embed', 'classifier'))

    def depth(stack: str) -> int:
        return 1 + max(int(key.split('.')[2]) for key in state if key.startswith(stack))

    # Neither the number of heads nor the form of the grid shows in a shape.
    patch_size = kernel.shape[-1]
    cfg: dict[str, Any] = dict(
        type='TextGuidedReID' if layout is CLIPREID else 'VideoReID',
        num_ids=len(classifier),
        num_cams=len(found['cameras']) if 'cameras' in found else 1,
        image_encoder=dict(
            type='CLIPVisionTransformer',
            arch=dict(
                embed_dims=len(kernel),
                num_layers=depth('image_encoder.layers.'),
                num_heads=1,
                feedforward_channels=4 * len(kernel),
                patch_size=patch_size,
            ),
            image_size=(patch_size * (pos_embed.shape[1] - 1), patch_size),
            embed_dim=classifier.shape[1],
        ),
        camera_embedding=dict(type='CameraEmbedding') if 'cameras' in found else None,
        prototype_loss=dict(type='PrototypeContrastiveLoss'),
        identity_head=dict(type='BNNeckHead'),
        identity_loss=dict(type='IdentityLoss'),
        triplet_loss=dict(type='BatchHardTripletLoss'),
    )
    if layout is not CLIPREID:
        cfg |= dict(
            prototype_updater=dict(
                type='PrototypeFusionUpdater' if layout is CSIP else 'SequenceSpecificPrompt',
                num_layers=depth('prototype_updater.layers.'),
                num_heads=1,
                feedforward_channels=len(found['updater']),
            ),
            temporal=dict(
                type='SkeletonGuidedTemporalModeling'
                if layout is CSIP
                else 'TemporalMemoryDiffusion',
                num_heads=1,
            ),
            frame_loss=dict(type='IdentityLoss'),
        )
    if layout is CSIP:
        cfg['skeleton_encoder'] = dict(
            type='SkeletonGraphTransformer',
            embed_dim=found['joints'].shape[1],
            depth=depth('skeleton_encoder.layers.'),
            num_heads=1,
            feedforward_channels=len(found['joints']),
        )
    with torch.device('meta'):
        model = MODELS.build(cfg)
    for name, tensor in model.state_dict().items():
        if name in state and state[name].shape != tensor.shape:
            raise ValueError(
                f'{name} has shape {tuple(state[name].shape)}, beside the other tensors it has to '
                f'be {tuple(tensor.shape)}'
            )


def _list(what: str, keys: Sequence[str]) -> list[str]:
    """Count keys and name them."""
    return [f'{what}: {len(keys)}', *(f'    {key}' for key in keys)]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('src', type=Path, help='checkpoint to read')
    parser.add_argument('dst', type=output_file, help='file to write')
    parser.add_argument('--reverse', action='store_true', help='from ours to the published layout')
    parser.add_argument(
        '--dataset-name', default='mars', help='what it was trained on, for the meta data'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Convert a file; write nothing if anything does not fit."""
    args = parse_args(argv)
    try:
        source = read_checkpoint(args.src)
        state = source['state_dict']
        if args.reverse:
            converted = csipreid_to_official(state, source.get(_UNUSED))
            write_checkpoint(converted, args.dst)
            only = layout_of_ours(set(state)).ours_only
            lines = _list('left out', [key for key in only if key in state])
            count = len(state) - len(lines) + 1
        else:
            content = to_csipreid(state, args.dataset_name)
            write_checkpoint(content, args.dst)
            what = 'text side' if layout_of_official(set(state)) is CLIPREID else 'without effect'
            lines = _list(f'{what}, kept apart', list(content[_UNUSED]))
            only = layout_of_official(set(state)).ours_only
            lines += _list('added', [key for key in only if key in content['state_dict']])
            count = len(state) - len(content[_UNUSED])
            sizes = content['meta']['dataset_meta']
            lines.append(f'trained on {sizes["num_ids"]} identities, {sizes["num_cams"]} cameras')
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f'error: {args.src}: {error}')
    print(f'converted: {count} tensors', *lines, f'written to {args.dst}', sep='\n')


if __name__ == '__main__':
    main()
