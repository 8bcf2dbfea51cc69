"""Make a checkpoint ready to be shared: only what testing needs, and what it is.

Weights that training alone needs (skeleton encoder, prototypes, classifiers) and
the state of the optimiser are left out. What is left embeds RGB frames. Input
size, normalisation, clip length, data set and config are put inside; the name
ends in the first eight digits of the file's SHA-256.

Example::

    python tools/model_converters/publish_model.py configs/csip/stage2_mars.py \
        work_dirs/stage2_mars/epoch_80.pth checkpoints/csip-mars.pth
"""

import argparse
import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from csipreid.apis.loading import build_model
from csipreid.arguments import output_file
from csipreid.checkpoint import read_checkpoint, write_checkpoint
from csipreid.deployment import FrameSettings
from csipreid.engine.config import read_config
from csipreid.version import __version__


def strip(cfg: Config, checkpoint: dict[str, Any], source: str) -> dict[str, Any]:
    """Return the checkpoint to publish.

    Args:
        cfg: Config of the model.
        checkpoint: As a training run or a converter wrote it.
        source: Its name, for errors.

    Raises:
        ValueError: If the checkpoint does not fit the config.
    """
    model = build_model(cfg, checkpoint, source)
    training_only = getattr(model, 'training_only', ())
    state = checkpoint['state_dict']
    kept = {
        name: tensor.detach().cpu().clone()  # a view would be saved with all it is a view of
        for name, tensor in state.items()
        if not training_only or not name.startswith(training_only)
    }
    return dict(state_dict=kept, meta=metadata(cfg, checkpoint))


def metadata(cfg: Config, checkpoint: dict[str, Any]) -> dict[str, Any]:
    """Describe how the model is to be used, in plain values.

    Raises:
        ValueError: If the config does not tell.
    """
    settings = FrameSettings.from_config(cfg)
    return dict(
        dataset_meta=dict(checkpoint['meta']['dataset_meta']),
        input_size=list(settings.input_size),
        mean=list(settings.mean),
        std=list(settings.std),
        clip_len=settings.clip_len,
        config=cfg.pretty_text,
        epoch=checkpoint['meta'].get('epoch'),
        csipreid_version=__version__,
    )


def publish(cfg: Config, src: Path, dst: Path) -> Path:
    """Write the published file and return its path.

    Raises:
        OSError: If a file cannot be read or written.
        ValueError: If the checkpoint does not fit the config.
    """
    content = strip(cfg, read_checkpoint(src), str(src))
    partial = dst.with_name(f'{dst.name}.unnamed')
    try:
        write_checkpoint(content, partial)
        digest = hashlib.sha256(partial.read_bytes()).hexdigest()
        final = dst.with_name(f'{dst.stem}-{digest[:8]}{dst.suffix or ".pth"}')
        os.replace(partial, final)
    finally:
        partial.unlink(missing_ok=True)
    return final


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('config', type=Path, help='config that the checkpoint was trained with')
    parser.add_argument('src', type=Path, help='checkpoint to read')
    parser.add_argument(
        'dst', type=output_file, help='file to write; the hash is added to its name'
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Publish a checkpoint; write nothing if anything does not fit."""
    args = parse_args(argv)
    try:
        final = publish(read_config(args.config), args.src, args.dst)
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f'error: {error}')
    for what, path in (('before', args.src), ('after', final)):
        state = read_checkpoint(path)['state_dict']
        size = path.stat().st_size / 2**20
        print(f'{what + ":":<8}{size:9.2f} MiB, {len(state):4d} tensors, {path}')


if __name__ == '__main__':
    main()
