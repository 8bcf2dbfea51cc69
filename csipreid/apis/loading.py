"""From files to a model that embeds frames: config and checkpoint, a checkpoint, or ONNX."""

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import DefaultScope

from csipreid.checkpoint import data_sizes, fill_module, read_checkpoint
from csipreid.config_text import check_types, parse_config
from csipreid.deployment import FrameSettings, OnnxReID
from csipreid.deployment.fingerprint import fingerprint
from csipreid.models.reid_model import ReIDModel
from csipreid.registry import MODELS, TRANSFORMS

ONNX_SUFFIX = '.onnx'


class LoadedModel(NamedTuple):
    """A model and what it needs.

    Attributes:
        model: In evaluation mode, on its device.
        cfg: With ``test_pipeline``, and for a model of torch ``model``.
        source: The file of its weights, for messages.
    """

    model: ReIDModel
    cfg: Config
    source: str

    @property
    def settings(self) -> FrameSettings:
        """How frames are prepared.

        Raises:
            ValueError: If the config does not tell.
        """
        if isinstance(self.model, OnnxReID):
            return self.model.settings
        return FrameSettings.from_config(self.cfg)

    @property
    def fingerprint(self) -> str:
        """Hash of what an embedding depends on; see :func:`csipreid.deployment.fingerprint`.

        Raises:
            ValueError: If the config does not tell how frames are prepared.
        """
        if isinstance(self.model, OnnxReID):
            return self.model.fingerprint
        training_only = getattr(self.model, 'training_only', ())
        return fingerprint(self.model, self.settings, training_only)


def load_model(
    config: str | os.PathLike | Config | None,
    weights: str | os.PathLike | None,
    device: str | torch.device,
    settings: Mapping[str, Any] | str | os.PathLike | None = None,
) -> LoadedModel:
    """Read a model that embeds tracklets by their frames alone.

    Args:
        config: Config, a path or a loaded one; None reads it from the checkpoint. Or an
            ``.onnx`` file, which needs no weights.
        weights: Checkpoint that fits the config; or an ``.onnx`` file, without config.
        device: Where a model of torch computes.
        settings: How frames are prepared for an ``.onnx`` file that does not say; see
            :class:`csipreid.deployment.OnnxReID`.

    Raises:
        FileNotFoundError: If a file does not exist.
        ImportError: If an ``.onnx`` file is given without onnxruntime.
        ValueError: If the files are not what they should be, or do not fit.
    """
    onnx = [f for f in (config, weights) if str(f).endswith(ONNX_SUFFIX) and _is_path(f)]
    if onnx:
        if config is not None and weights is not None:
            raise ValueError(f'{onnx[0]} stands for config and checkpoint; give it alone')
        model = OnnxReID(onnx[0], settings)  # type: ignore[arg-type]
        cfg = Config(dict(test_pipeline=model.settings.pipeline()))
        return LoadedModel(model.eval(), cfg, os.fspath(onnx[0]))  # type: ignore[arg-type]
    if settings is not None:
        raise ValueError('settings are for .onnx files; a config has its own')
    if weights is None:
        raise ValueError('give a checkpoint as well as the config; or an .onnx file alone')
    cfg = None if config is None else read_model_config(config)
    if cfg is not None:
        _check_frames_alone(cfg)  # before a large file is read
    content = read_checkpoint(Path(weights))
    if cfg is None:
        cfg = config_of(content, str(weights))
        _check_frames_alone(cfg)
    model = build_model(cfg, content, str(weights))
    return LoadedModel(model.to(device).eval(), cfg, os.fspath(weights))


def build_model(cfg: Config, content: Mapping[str, Any], source: str) -> ReIDModel:
    """Build the model of a config and fill it from a checkpoint.

    Args:
        cfg: With ``model``.
        content: As :func:`csipreid.checkpoint.read_checkpoint` gives it.
        source: The checkpoint, for messages.

    Raises:
        ValueError: If the checkpoint does not fit.
    """
    sizes = data_sizes(content, source)
    wanted = inspect.signature(MODELS.get(cfg.model.type)).parameters
    with DefaultScope.overwrite_default_scope('csipreid'):
        model = MODELS.build(
            cfg.model, default_args={name: n for name, n in sizes.items() if name in wanted}
        )
    optional = getattr(model, 'training_only', ())
    fill_module(model, content['state_dict'], f'checkpoint {source}', optional)
    return model


def config_of(content: Mapping[str, Any], source: str) -> Config:
    """Read the config that lies in a published checkpoint, or in one of a training.

    Its text is not run, and only registered classes are built from it.

    Args:
        content: As :func:`csipreid.checkpoint.read_checkpoint` gives it.
        source: The checkpoint, for messages.

    Raises:
        ValueError: If there is none, or it cannot be read.
    """
    meta = content.get('meta') or {}
    text = meta.get('config') or meta.get('cfg')
    if text is None:
        raise ValueError(
            f'checkpoint {source} holds no config; give the config file, or a checkpoint of '
            'tools/model_converters/publish_model.py'
        )
    cfg = parse_config(text, source)
    if not isinstance(cfg.get('model'), dict) or 'type' not in cfg.model:
        raise ValueError(f'the config in {source} names no model; give the config file as well')
    for key in ('model', 'test_pipeline'):
        known = _registered(MMENGINE_MODELS if key == 'model' else MMENGINE_TRANSFORMS)
        check_types(cfg.get(key), known, source)
    return cfg


def _registered(root: Any) -> dict[str, Any]:
    """Return all that is registered below a registry of MMEngine."""
    for own in (MODELS, TRANSFORMS):
        own.import_from_location()
    import mmpretrain.models  # noqa: F401, its classes are registered at import

    registries = (root, *root.children.values())
    return {name: kind for part in registries for name, kind in part.module_dict.items()}


def read_model_config(config: str | os.PathLike | Config) -> Config:
    """Read a config file, or copy a config."""
    if isinstance(config, Config):
        return config
    if not Path(config).is_file():
        raise FileNotFoundError(f'config {os.fspath(config)} not found')
    if not str(config).endswith(('.py', '.json', '.yaml', '.yml')):
        raise ValueError(
            f'{os.fspath(config)} is no config; a checkpoint that holds its config is given as '
            'weights, and the config left out'
        )
    return Config.fromfile(config)


def _check_frames_alone(cfg: Config) -> None:
    """Refuse a config whose model needs more than frames to test."""
    absent = [name for name in ('model', 'test_pipeline') if cfg.get(name) is None]
    if absent:
        raise ValueError(f'the config has no {" and no ".join(absent)}; is it one of a model?')
    steps = [step.get('type') for step in cfg.test_pipeline]
    if 'LoadSkeletons' in steps:
        raise ValueError(
            f'{cfg.model.type} needs skeletons to test (LoadSkeletons in test_pipeline), as '
            'the model of stage 1 does; take a config and checkpoint of stage 2'
        )


def _is_path(value: Any) -> bool:
    """Tell whether a value is the name of a file."""
    return isinstance(value, str | os.PathLike)
