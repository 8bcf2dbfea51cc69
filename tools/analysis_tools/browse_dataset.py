"""Show clips of a data set as the model sees them, with their skeletons.

Runs the pipeline of the config, augmentation included, and draws each clip: the frames with
the skeletons over them, the skeletons from the front and from the person's side::

    python tools/analysis_tools/browse_dataset.py configs/csip/stage2_mars.py --out browse

writes ``browse/index.html``, one page that needs no other file; ``--png`` writes a PNG strip per
clip instead. Skeletons are drawn to the size of the frame: they show the pose, not the exact
place of the joints.
"""

import argparse
import base64
import html
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.registry import DefaultScope

from csipreid.arguments import output_folder, whole
from csipreid.engine.config import read_config, set_data_root
from csipreid.output_folder import OutputFolder
from csipreid.registry import DATASETS
from csipreid.skeletons import get_layout
from csipreid.visualization.drawing import (
    draw_skeleton,
    draw_strip,
    fit_skeleton,
    pick_evenly,
    stack_images,
)

STYLE = (
    'body{font:14px sans-serif;margin:1.5em;background:#fafafa;color:#222}'
    'figure{display:inline-block;margin:0 1.2em 1.4em 0;background:#fff;padding:.6em;'
    'border:1px solid #ddd}figcaption{margin-top:.4em;font-size:12px}img{max-width:100%}'
)
LEGEND = (
    'Each clip: its frames with the skeleton over them; below, the skeleton alone from the front '
    'and from the side. Blue: left limbs of the person, orange: right, yellow: middle. '
    'Grey: the frame has no skeleton.'
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config', help='config file')
    parser.add_argument('--data-root', help='folder of the data set; replaces that of the config')
    parser.add_argument(
        '--subset', choices=['train', 'query', 'gallery', 'test'], default='train',
        help='train takes the training pipeline, the others that for testing',
    )  # fmt: skip
    parser.add_argument('--out', type=output_folder, default='browse', help='folder to write')
    parser.add_argument('--num', type=whole(1), default=24, help='clips, spread over the data set')
    parser.add_argument('--indices', type=whole(0), nargs='+', help='show these instead')
    parser.add_argument('--height', type=whole(8), default=160, help='of a drawn frame, in pixels')
    parser.add_argument('--epoch', type=whole(0), default=0, help='whose random draws are shown')
    parser.add_argument('--png', action='store_true', help='write a PNG per clip, no page')
    return parser.parse_args(argv)


def build_dataset(args: argparse.Namespace) -> Any:
    """Build the data set with its pipeline, but without the last step."""
    cfg = read_config(args.config)
    if args.data_root is not None:
        set_data_root(cfg, args.data_root)
    loader = cfg.train_dataloader if args.subset == 'train' else cfg.test_dataloader
    settings = loader.dataset
    settings.subset = args.subset
    settings.pipeline = [step for step in settings.pipeline if step.type != 'PackReIDInputs']
    with DefaultScope.overwrite_default_scope('csipreid'):
        return DATASETS.build(settings)


def draw_clip(item: dict, height: int) -> np.ndarray:
    """Draw the frames and skeletons of one clip, RGB, uint8, (H, W, 3)."""
    frames = list(item['frames'])
    width = round(height * frames[0].shape[1] / frames[0].shape[0])
    num_frames = len(frames)
    frames = [cv2.resize(f, (width, height), interpolation=cv2.INTER_AREA) for f in frames]
    if 'skeletons' not in item:
        return draw_strip(frames, height, width, num_frames)
    layout = get_layout(item['layout'])
    rows: list[list[np.ndarray]] = [[], [], []]
    for frame, skeleton, valid in zip(
        frames, item['skeletons'], item['skeleton_valid'], strict=True
    ):
        panel = np.full_like(frame, 32 if valid else 128)
        views = [(frame, skeleton), (panel, skeleton), (panel, skeleton[:, [2, 1, 0]])]
        for row, (image, joints) in zip(rows, views, strict=True):
            if valid:
                flat = fit_skeleton(joints, (height, width))
                image = draw_skeleton(image, flat, layout.bones, layout.flip_pairs, 2)
            row.append(image)
    strips = [draw_strip(row, height, width, num_frames) for row in rows]
    return stack_images(strips, axis=0, gap=2)


def caption(index: int, item: dict) -> str:
    """Say what a clip is."""
    camera = 'unknown' if item['camid'] < 0 else str(item['camid'] + 1)
    parts = [
        f'#{index}, {item["subset"]}, person {item["pid"]}, camera {camera}, '
        f'{len(item["frame_paths"])} frames',
    ]
    if 'skeleton_valid' in item:
        valid = item['skeleton_valid']
        parts.append(f'{np.count_nonzero(valid)} of {len(valid)} skeletons')
    if item.get('flip'):
        parts.append('mirrored')
    return '; '.join([*parts, Path(item['frame_paths'][0]).parent.as_posix()])


def encode(image: np.ndarray) -> bytes:
    """Return an RGB image as PNG."""
    return cv2.imencode('.png', cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def make_page(title: str, clips: Sequence[tuple[str, bytes]]) -> str:
    """Return the page that shows all clips."""
    figures = [
        f'<figure><img alt="{html.escape(text)}" src="data:image/png;base64,'
        f'{base64.b64encode(image).decode()}"><figcaption>{html.escape(text)}</figcaption></figure>'
        for text, image in clips
    ]
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}'
        f'</title><style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1><p>{LEGEND}</p>\n'
        + '\n'.join(figures)
        + '\n</body></html>\n'
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the clips and say where they are."""
    args = parse_args(argv)
    try:
        output = OutputFolder(args.out, 'browse_dataset')
        dataset = build_dataset(args)
        dataset.set_epoch(args.epoch)
        indices = args.indices or pick_evenly(len(dataset), args.num).tolist()
        if max(indices) >= len(dataset):
            raise ValueError(f'--indices must be below {len(dataset)}, got {max(indices)}')
        clips = []
        for index in indices:
            item = dataset[index]
            clips.append((caption(index, item), encode(draw_clip(item, args.height))))
        with output:
            if args.png:
                for index, (_, image) in zip(indices, clips, strict=True):
                    (output.staging / f'{args.subset}_{index:06}.png').write_bytes(image)
            else:
                page = make_page(f'{dataset.metainfo["dataset_name"]}: {args.subset}', clips)
                (output.staging / 'index.html').write_bytes(page.encode())
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f'error: {error}')
    if output.removed:
        print(f'{output.removed} files of an earlier run removed')
    print(f'{len(clips)} clips in {args.out if args.png else args.out / "index.html"}')


if __name__ == '__main__':
    main()
