"""Convert the image tower of CLIP for ``CLIPVisionTransformer``, and perhaps the text tower.

Reads OpenAI's TorchScript archive or a state dict of it, open_clip and Hugging
Face transformers: ViT-B/32, B/16 and L/14. The position embedding is resized to
the grid of the image size: bilinear, corners not aligned, without antialiasing.
With ``--with-text`` the text tower goes along, for CLIP-ReID (``PromptedTextEncoder``).

Example::

    python tools/model_converters/clip_to_csipreid.py ViT-B-16.pt \
        checkpoints/clip-vit-b16_256x128.pth --image-size 256 128
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from csipreid.arguments import output_file, whole
from csipreid.checkpoint import read_checkpoint, write_checkpoint
from csipreid.models.clip_keys import ClipTower, clip_to_csipreid
from csipreid.models.clip_text_keys import ClipText, clip_text_to_csipreid
from csipreid.torchscript_archive import is_torchscript, read_torchscript


def read_weights(path: Path) -> Mapping[str, Tensor]:
    """Read a state dict from any of the formats, without running code from it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read or holds no state dict.
    """
    if path.suffix == '.safetensors' and path.is_file():
        return _read_safetensors(path)
    if is_torchscript(path):
        return read_torchscript(path)
    return read_checkpoint(path)['state_dict']


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file."""
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise ValueError(f'{path} needs safetensors: pip install safetensors') from error
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f'{path} cannot be read; it is truncated or not a safetensors file ({error})'
        ) from error


def join(tower: ClipTower, text: ClipText | None) -> dict[str, Tensor]:
    """Return the state dict to write: of the image tower, or of both under their parts' names."""
    if text is None:
        return tower.state_dict
    parts = dict(image_encoder=tower.state_dict, text_encoder=text.state_dict)
    return {f'{part}.{key}': t for part, state in parts.items() for key, t in state.items()}


def report(tower: ClipTower, text: ClipText | None = None) -> list[str]:
    """Say what was converted and what was not."""
    converted = sum(tensor.numel() for tensor in tower.state_dict.values())
    lines = [
        f'ViT-{tower.arch[0].upper()}/{tower.arch[1:]} with {tower.num_layers} layers, named as in '
        f'{tower.library}',
        f'converted: {len(tower.state_dict)} tensors, {converted / 1e6:.2f} M values',
        f'left out (text tower and scalars): {len(tower.left_out)} tensors'
        if text is None
        else f'text tower: {len(text.state_dict)} tensors; text_encoder: width={text.width}, '
        f'num_layers={text.num_layers}, num_heads={text.width // 64}',
    ]
    if tower.source_grid == tower.grid:
        lines.append(f'position embedding kept: {tower.grid[0]} x {tower.grid[1]} patches')
    else:
        (rows, columns), (height, width) = tower.source_grid, tower.grid
        sizes = f'{rows} x {columns} to {height} x {width} patches'
        lines.append(f'position embedding resized, bilinear: {sizes}')
    lines.append(f'image_encoder: arch={tower.arch_config!r}')
    lines.append(
        "activation: not in the weights; 'quick_gelu', the default, is that of OpenAI's. Weights "
        "of open_clip whose model name lacks '-quickgelu' and of transformers with "
        "hidden_act='gelu' need activation='gelu' in the config"
    )
    return lines


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('src', type=Path, help='.pt, .pth, .bin or .safetensors file')
    parser.add_argument('dst', type=output_file, help='file to write')
    parser.add_argument(
        '--image-size', type=whole(1), nargs=2, required=True, metavar=('H', 'W'), help='pixels'
    )
    parser.add_argument('--with-text', action='store_true', help='convert the text tower too')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Convert a file; write nothing if anything does not fit."""
    args = parse_args(argv)
    image_size = (args.image_size[0], args.image_size[1])
    try:
        source = read_weights(args.src)
        tower = clip_to_csipreid(source, image_size)
        text = clip_text_to_csipreid(source) if args.with_text else None
        meta = dict(arch=tower.arch, image_size=list(image_size), source=args.src.name)
        write_checkpoint(dict(state_dict=join(tower, text), meta=meta), args.dst)
    except (OSError, ValueError) as error:
        sys.exit(f'error: {args.src}: {error}')
    print(*report(tower, text), f'written to {args.dst}', sep='\n')


if __name__ == '__main__':
    main()
