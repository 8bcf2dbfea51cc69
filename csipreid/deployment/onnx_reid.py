"""An ONNX file in the place of a model: ours, or anyone's network for people."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from csipreid.deployment.frame_settings import FrameSettings, read_settings
from csipreid.file_content import describe_content
from csipreid.models.reid_model import ReIDModel
from csipreid.structures import ReIDDataSample

METADATA_KEY = 'csipreid'  # of the JSON that tools/deployment/export_onnx.py puts into its files
_DTYPES = {
    'tensor(uint8)': torch.uint8,
    'tensor(float)': torch.float32,
    'tensor(float16)': torch.float16,
}
_PROVIDERS = ('CUDAExecutionProvider', 'CPUExecutionProvider')


class OnnxReID(ReIDModel):
    """Embed clips with a graph that onnxruntime computes.

    A file of ``tools/deployment/export_onnx.py`` says itself how frames are prepared. Of any
    other the settings are given. Its input is (N, 3, H, W), frames, whose embeddings are
    averaged over a clip, or (N, T, 3, H, W), clips; its first output (N, D). An axis of fixed
    length is kept to. Several threads may compute at a time.

    Args:
        path: The ``.onnx`` file.
        settings: Of a file that does not have them, the arguments of :class:`FrameSettings`
            as a dict, or a JSON file of them. ``input_size`` and ``clip_len`` may be left out
            where the graph fixes them.

    Attributes:
        settings: How frames are prepared.
        clip_len_free: Whether clips of any length are taken.
        embed_dim: Width D of the embeddings.
        embedding_parts: Names and widths of the parts that stand side by side in an embedding.
        fingerprint: Of the weights and settings, 64 hexadecimal digits; of our files that of
            the checkpoint they were made from.

    Raises:
        FileNotFoundError: If a file does not exist.
        ImportError: If onnxruntime is not installed.
        ValueError: If it is no such graph, or settings are missing, or given to a file that
            has its own.
    """

    def __init__(
        self, path: str | os.PathLike, settings: Mapping[str, Any] | str | os.PathLike | None = None
    ) -> None:
        file = os.fspath(path)
        session = open_session(file)
        source, inputs = session.get_inputs()[0], session.get_inputs()
        shape = [axis if isinstance(axis, int) else None for axis in source.shape]
        if len(inputs) != 1 or len(shape) not in (4, 5) or source.type not in _DTYPES:
            found = ', '.join(f'{i.name} {i.type} {i.shape}' for i in inputs)
            raise ValueError(
                f'{file} must have one input, frames (N, 3, H, W) or clips (N, T, 3, H, W) '
                f'of uint8 or float, got {found}'
            )
        if shape[-3] not in (3, None):
            raise ValueError(
                f'{file} must take 3 channels before height and width, got {source.shape}'
            )
        metadata = read_metadata(session.get_modelmeta().custom_metadata_map, file)
        fixed_len = shape[1] if len(shape) == 5 else None
        if metadata is None:
            values = _given_settings(settings, shape, fixed_len)
            chosen = FrameSettings.from_values(values, file)
        elif settings is not None:
            raise ValueError(f'{file} has settings of its own; give none')
        else:
            chosen = metadata['settings']
        _check_shape(file, shape, fixed_len, chosen)
        inside = metadata is not None and metadata['normalization'] == 'inside'
        mean, std = ([0.0] * 3, [1.0] * 3) if inside else (chosen.mean, chosen.std)
        super().__init__(dict(type='ReIDDataPreprocessor', mean=list(mean), std=list(std)))
        self.path = file
        self.settings = chosen
        self.clip_len_free = len(shape) == 4 or fixed_len is None
        self._session, self._input = session, source.name
        self._output = session.get_outputs()[0].name
        self._dtype = _DTYPES[source.type]
        self._batch, self._takes_frames = shape[0], len(shape) == 4
        size = (1, chosen.clip_len, 3, *chosen.input_size)
        self.embed_dim = self.extract_feat(dict(frames=torch.zeros(size))).shape[1]
        if metadata is None:
            self.embedding_parts = {'embedding': self.embed_dim}
            self.fingerprint = _hash_file(file, chosen)
        else:
            self.embedding_parts = metadata['embedding_parts']
            self.fingerprint = metadata['fingerprint']

    def extract_feat(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample] | None = None
    ) -> Tensor:
        """Embed N clips.

        Args:
            inputs: With ``frames``, RGB as the preprocessor gives them, float, (N, T, 3, H, W).
            data_samples: Unused; required by the interface. Cameras count as unknown.

        Returns:
            Float32, (N, D).

        Raises:
            ValueError: If the graph gives no matrix.
        """
        frames = inputs['frames']
        if self.settings.color == 'bgr':
            frames = frames.flip(2)
        count, length = frames.shape[:2]
        items = frames.flatten(0, 1) if self._takes_frames else frames
        array = items.to('cpu', self._dtype).contiguous().numpy()
        embeddings = torch.from_numpy(self._run(array))
        if self._takes_frames:
            embeddings = embeddings.unflatten(0, (count, length)).mean(dim=1)
        return embeddings

    def loss(
        self, inputs: dict[str, Tensor], data_samples: list[ReIDDataSample]
    ) -> dict[str, Tensor]:
        """Refuse to train.

        Raises:
            ValueError: Always.
        """
        raise ValueError('an ONNX file cannot be trained')

    def _run(self, items: np.ndarray) -> np.ndarray:
        """Compute all items, as many at a time as the graph takes; float32, (N, D)."""
        size = self._batch or max(1, len(items))
        results = []
        for start in range(0, len(items), size):
            part = items[start : start + size]
            missing = size - len(part) if self._batch else 0
            full = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
            (result,) = self._session.run([self._output], {self._input: full})
            if result.ndim != 2 or len(result) != len(full):
                raise ValueError(
                    f'{self.path} must give (N, D) for N = {len(full)}, got {result.shape}'
                )
            results.append(result[: len(part)].astype(np.float32))
        return np.concatenate(results)


def open_session(path: str) -> Any:
    """Open a graph with onnxruntime, which computes with as many threads as torch.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If onnxruntime is not installed.
        ValueError: If it is no graph that onnxruntime can compute.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path} not found')
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("onnxruntime is missing: pip install -e '.[onnx]'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors
    there = onnxruntime.get_available_providers()
    try:
        return onnxruntime.InferenceSession(
            path, options, providers=[name for name in _PROVIDERS if name in there]
        )
    except Exception as error:  # onnxruntime has an exception for each of its states
        content = describe_content(path)
        reason = f'it is {content}' if content else str(error).partition('\n')[0]
        raise ValueError(f'{path} is no ONNX file that can be computed: {reason:.300}') from error


def read_metadata(properties: Mapping[str, str], path: str) -> dict[str, Any] | None:
    """Read what our export wrote into a file.

    Args:
        properties: Texts by name, of the file.
        path: The file, for messages.

    Returns:
        ``settings``, ``normalization`` ('inside' or 'outside' of the graph),
        ``embedding_parts`` (widths by name), ``fingerprint`` and what else there is; None
        for a file of another origin.

    Raises:
        ValueError: If it is not what was written.
    """
    if METADATA_KEY not in properties:
        return None
    try:
        metadata = json.loads(properties[METADATA_KEY])
        metadata['settings'] = FrameSettings.from_values(metadata['settings'], path)
        parts, digest = metadata['embedding_parts'], metadata['fingerprint']
        fits = (
            metadata['normalization'] in ('inside', 'outside')
            and all(isinstance(width, int) and width > 0 for width in parts.values())
            and isinstance(digest, str)
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(
            f'{path}: its settings are broken ({error!r:.200}); export again'
        ) from error
    if not fits:
        raise ValueError(f'{path}: its settings are broken; export again')
    return metadata


def _given_settings(
    settings: Mapping[str, Any] | str | os.PathLike | None, shape: list, fixed_len: int | None
) -> dict[str, Any]:
    """Return the settings of a file that has none, filled up by the shape of its input."""
    given = read_settings(settings) if isinstance(settings, str | os.PathLike) else settings
    values = dict(given or {})
    if None not in shape[-2:]:
        values.setdefault('input_size', tuple(shape[-2:]))
    if fixed_len is not None:
        values.setdefault('clip_len', fixed_len)
    return values


def _check_shape(path: str, shape: list, fixed_len: int | None, settings: FrameSettings) -> None:
    """Refuse settings that the graph cannot take."""
    size = tuple(shape[-2:])
    if any(axis not in (None, own) for axis, own in zip(size, settings.input_size, strict=True)):
        raise ValueError(f'{path} takes frames of {size}, the settings say {settings.input_size}')
    if fixed_len not in (None, settings.clip_len):
        raise ValueError(
            f'{path} takes clips of {fixed_len} frames, the settings say {settings.clip_len}'
        )


def _hash_file(path: str, settings: FrameSettings) -> str:
    """Hash a file and its settings."""
    digest = hashlib.sha256(json.dumps(settings.values(), sort_keys=True).encode())
    with open(path, 'rb') as content:
        while block := content.read(2**20):
            digest.update(block)
    return digest.hexdigest()
