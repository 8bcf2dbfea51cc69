r"""Export the test graph of a model to ONNX: frames in, embeddings out.

The graph takes any number of clips, (N, T, 3, H, W), RGB, uint8, and normalises them itself; the
length T of a clip is free where the model allows it. Size, mean, std, clip length, parts of
the embedding and a hash of the weights are inside the file, so that ``VideoReIDInferencer`` and
``TrackletEmbedder`` take it in the place of config and checkpoint. Cameras count as unknown.

Before the file gets its name, onnxruntime computes noise and, with ``--check``, real clips; if
an embedding differs from torch's by more than 1e-4 (``--half``: a cosine below 0.999), the
command fails and leaves no file::

    pip install -e '.[onnx]'
    python tools/deployment/export_onnx.py configs/csip/stage2_mars.py checkpoints/csip-mars.pth \
        csip-mars.onnx --check tracklet/
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from torch import Tensor

from csipreid.apis.loading import load_model
from csipreid.apis.tracklets import describe_tracklets
from csipreid.arguments import output_file, whole
from csipreid.checkpoint import put_in_place
from csipreid.datasets.video_files import VideoReader
from csipreid.deployment.frame_settings import FrameSettings
from csipreid.deployment.onnx_export import compare_onnx, export_onnx
from csipreid.engine.failures import explain_building, fail
from csipreid.registry import TRANSFORMS

_CLIPS = 8  # of a video that are compared


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config', type=Path, help='config of the model')
    parser.add_argument('checkpoint', type=Path, help='weights that fit it')
    parser.add_argument('out', type=output_file, help='file to write, .onnx')
    parser.add_argument(
        '--opset', type=whole(18, 23), default=18, help="version of ONNX's operators"
    )
    parser.add_argument('--half', action='store_true', help='compute in float16')
    parser.add_argument(
        '--normalize-outside',
        action='store_true',
        help='take normalised float32 frames instead of uint8; the settings stay in the file',
    )
    parser.add_argument(
        '--check',
        metavar='FILE',
        help='real frames to compare on: a video, or a folder of images',
    )
    return parser.parse_args(argv)


def real_clips(path: str, settings: FrameSettings) -> Tensor:
    """Read clips of a video or of a folder of images, uint8, RGB, (N, T, 3, H, W).

    Raises:
        FileNotFoundError: If there is nothing.
        ValueError: If it holds no frame.
    """
    wanted = settings.clip_len * _CLIPS
    if Path(path).is_dir():
        (item,) = describe_tracklets([path], '--check')
        frames = None
    else:
        frames = list(VideoReader(path).take(range(1, wanted + 1)).values())
        if not frames:
            raise ValueError(f'{path} holds no frame that OpenCV can read')
        (item,) = describe_tracklets([frames], '--check')
    steps = settings.pipeline()[2 if frames else 1 :]
    count = min(len(item['frame_paths']), wanted)
    length = settings.clip_len
    item['frame_inds'] = np.arange(-(-count // length) * length).reshape(-1, length) % count
    item['num_clips'] = len(item['frame_inds'])
    if frames:
        item['frames'] = [frames[index] for index in item['frame_inds'].ravel()]
    with DefaultScope.overwrite_default_scope('csipreid'):
        packed = Compose([TRANSFORMS.build(step) for step in steps])(item)
    return packed['inputs']['frames']


def main(argv: Sequence[str] | None = None) -> None:
    """Export, compare, and only then give the file its name."""
    args = parse_args(argv)
    partial = args.out.with_name(f'{args.out.name}.partial')
    try:
        if args.out.suffix != '.onnx':
            raise ValueError(f'the file to write must end in .onnx, got {args.out}')
        loaded = load_model(args.config, args.checkpoint, torch.device('cpu'))
        settings = loaded.settings
        real = None if args.check is None else real_clips(args.check, settings)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        metadata = export_onnx(
            loaded.model,
            settings,
            partial,
            opset=args.opset,
            half=args.half,
            normalize=not args.normalize_outside,
        )
        agreement = compare_onnx(partial, loaded.model, settings, real, half=args.half)
        put_in_place(partial, args.out)
    except Exception as error:
        fail(explain_building(error))
    finally:
        partial.unlink(missing_ok=True)
    size = args.out.stat().st_size / 2**20
    length = 'any' if metadata['clip_len_free'] else settings.clip_len
    print(f'{args.out}: {size:.1f} MiB, any number of clips of {length} frames')
    print(f'embedding: {metadata["embedding_parts"]}')
    print(
        f'compared on {agreement.clips} clips, {0 if real is None else len(real)} of them real: '
        f'largest difference {agreement.difference:.2g}, least cosine {agreement.cosine:.7f}'
    )


if __name__ == '__main__':
    main()
