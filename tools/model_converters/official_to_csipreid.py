"""Convert checkpoints of the published CSIP-ReID code to ours, and back.

The published key layout is that of commit ac5a2ef; checkpoints of both of its
stages hold the whole model. Keys that have no effect there are kept apart, so
that the way there and back gives every tensor again.

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
from csipreid.checkpoint import read_checkpoint, write_checkpoint
from csipreid.models.official_keys import (
    CSIPREID_ONLY,
    csipreid_to_official,
    official_to_csipreid,
)
from csipreid.registry import MODELS

_UNUSED = 'official_unused'  # where the converted file keeps keys without effect


def to_csipreid(official: Mapping[str, Tensor], dataset_name: str) -> dict[str, Any]:
    """Return a checkpoint of ours with the weights of a published one.

    Its prototypes are empty: the published code does not save them, and a
    training run builds them again.

    Raises:
        ValueError: If a key is missing or unknown.
    """
    state, unused = official_to_csipreid(official)
    check_shapes(state)
    num_ids, embed_dim = state['projected_head.classifier.weight'].shape
    for modality in ('image', 'skeleton'):
        state[f'prototype_bank.{modality}_prototypes'] = torch.zeros(num_ids, embed_dim)
    state['prototype_bank.filled'] = torch.zeros((), dtype=torch.int64)
    num_cams = len(state['camera_embedding.weight'])
    meta = dict(dataset_name=dataset_name, num_ids=num_ids, num_cams=num_cams)
    return dict(state_dict=state, meta=dict(dataset_meta=meta)) | {_UNUSED: unused}


def check_shapes(state: Mapping[str, Tensor]) -> None:
    """Refuse tensors whose shapes do not fit together.

    Args:
        state: Of a ``VideoReID`` with all parts of the published model.

    Raises:
        ValueError: If one does not fit the model that the others make up.
    """
    names = {'kernel': 4, 'pos_embed': 3, 'classifier': 2, 'cameras': 2, 'joints': 2, 'updater': 2}
    tensors = [
        state['image_encoder.patch_embed.projection.weight'],
        state['image_encoder.pos_embed'],
        state['projected_head.classifier.weight'],
        state['camera_embedding.weight'],
        state['skeleton_encoder.layers.0.ffn.0.weight'],
        state['prototype_updater.layers.0.ffn.0.weight'],
    ]
    for (name, ndim), tensor in zip(names.items(), tensors, strict=True):
        if tensor.ndim != ndim:
            raise ValueError(f'the {name} must have {ndim} axes, got {tuple(tensor.shape)}')
    kernel, pos_embed, classifier, cameras, joints, updater = tensors

    def depth(stack: str) -> int:
        return 1 + max(int(key.split('.')[2]) for key in state if key.startswith(stack))

    # Neither the number of heads nor the form of the grid shows in a shape.
    patch_size = kernel.shape[-1]
    with torch.device('meta'):
        model = MODELS.build(
            dict(
                type='VideoReID',
                num_ids=len(classifier),
                num_cams=len(cameras),
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
                camera_embedding=dict(type='CameraEmbedding'),
                skeleton_encoder=dict(
                    type='SkeletonGraphTransformer',
                    embed_dim=joints.shape[1],
                    depth=depth('skeleton_encoder.layers.'),
                    num_heads=1,
                    feedforward_channels=len(joints),
                ),
                prototype_updater=dict(
                    type='PrototypeFusionUpdater',
                    num_layers=depth('prototype_updater.layers.'),
                    num_heads=1,
                    feedforward_channels=len(updater),
                ),
                prototype_loss=dict(type='PrototypeContrastiveLoss'),
                temporal=dict(type='SkeletonGuidedTemporalModeling', num_heads=1),
                identity_head=dict(type='BNNeckHead'),
                identity_loss=dict(type='IdentityLoss'),
                triplet_loss=dict(type='BatchHardTripletLoss'),
                frame_loss=dict(type='IdentityLoss'),
            )
        )
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
            lines = _list('left out', [key for key in CSIPREID_ONLY if key in state])
            count = len(state) - len(lines) + 1
        else:
            content = to_csipreid(state, args.dataset_name)
            write_checkpoint(content, args.dst)
            lines = _list('without effect, kept apart', list(content[_UNUSED]))
            lines += _list('added', [key for key in CSIPREID_ONLY if key in content['state_dict']])
            count = len(state) - len(content[_UNUSED])
            sizes = content['meta']['dataset_meta']
            lines.append(f'trained on {sizes["num_ids"]} identities, {sizes["num_cams"]} cameras')
    except (OSError, ValueError) as error:
        sys.exit(f'error: {args.src}: {error}')
    print(f'converted: {count} tensors', *lines, f'written to {args.dst}', sep='\n')


if __name__ == '__main__':
    main()
