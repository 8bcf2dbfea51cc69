"""Export of a model's test graph to ONNX, and the comparison of the two."""

import copy
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from csipreid.deployment.fingerprint import fingerprint
from csipreid.deployment.frame_settings import FrameSettings
from csipreid.deployment.onnx_reid import METADATA_KEY, OnnxReID
from csipreid.models import VideoReID
from csipreid.models.reid_model import ReIDModel
from csipreid.version import __version__

LARGEST_DIFFERENCE = 1e-4
LEAST_COSINE = 0.999  # of half precision
_LARGEST_FILE = 2 * 10**9  # bytes that one ONNX file can hold


class EmbeddingGraph(nn.Module):
    """Frames in, embeddings out: what testing computes of clips whose camera is not known.

    Args:
        model: In evaluation mode; its training parts are not touched.
        settings: How frames are prepared.
        normalize: Whether to normalise here: the graph then takes uint8.
        dtype: Precision of the model.
    """

    pixel_mean: Tensor  # not `mean`: an operation's result would get the same name in ONNX
    pixel_std: Tensor

    def __init__(
        self, model: ReIDModel, settings: FrameSettings, normalize: bool, dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.model = model
        self.normalize = normalize
        self.dtype = dtype
        for name in ('mean', 'std'):
            values = torch.tensor(getattr(settings, name)).view(3, 1, 1)
            self.register_buffer(f'pixel_{name}', values, persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Embed clips.

        Args:
            frames: RGB, (N, T, 3, H, W); uint8, or normalised float32.

        Returns:
            Not normalised, float32, (N, D).
        """
        if self.normalize:
            frames = (frames.float() - self.pixel_mean) / self.pixel_std
        return self.model.extract_feat(dict(frames=frames.to(self.dtype))).float()


class Agreement(NamedTuple):
    """How far the embeddings of a graph are from those of its model.

    Attributes:
        clips: Clips compared.
        difference: Largest difference of a value, relative to the root mean square of its
            embedding where that is above 1.
        cosine: Least cosine of an embedding and its counterpart.
    """

    clips: int
    difference: float
    cosine: float


def export_onnx(
    model: ReIDModel,
    settings: FrameSettings,
    path: str | Path,
    *,
    opset: int = 18,
    half: bool = False,
    normalize: bool = True,
) -> dict[str, Any]:
    """Write the test graph of a model to an ONNX file.

    The number of clips is free, and the length of a clip where the model can be recorded so.

    Args:
        model: In evaluation mode, on the CPU, float32.
        settings: How frames are prepared; they are written into the file.
        path: The file.
        opset: Version of ONNX's operators.
        half: Whether to compute in float16; frames and embeddings stay what they are.
        normalize: Whether the graph normalises: it then takes uint8, else normalised float32.

    Returns:
        What was written into the file's metadata.

    Raises:
        ImportError: If onnx or onnxscript is not installed.
        ValueError: If the model cannot be exported, or is too large for one file.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(f"{error.name} is missing: pip install -e '.[onnx]'") from error
    weights = sum(p.numel() * p.element_size() for p in model.parameters())
    if weights / (2 if half else 1) > _LARGEST_FILE:
        raise ValueError(f'{weights / 1e9:.1f} GB of weights do not fit into one ONNX file of 2 GB')
    graph = _graph(model, settings, normalize, half)
    example = random_clips(settings, 2, settings.clip_len, normalize)
    program, free = _record(graph, example, opset)
    with torch.no_grad():
        width = graph(example).shape[1]
    metadata = dict(
        settings=settings.values(),
        normalization='inside' if normalize else 'outside',
        clip_len_free=free,
        half=half,
        camera='unknown',
        embedding_parts=embedding_parts(model, width),
        fingerprint=fingerprint(model, settings, getattr(model, 'training_only', ())),
        model=type(model).__name__,
        csipreid_version=__version__,
    )
    program.model.metadata_props[METADATA_KEY] = json.dumps(metadata)
    program.save(str(path), external_data=False)
    return metadata


def random_clips(settings: FrameSettings, count: int, length: int, normalize: bool) -> Tensor:
    """Draw clips of noise, (count, length, 3, H, W), uint8 or, normalised, float32."""
    generator = torch.Generator().manual_seed(count * 1000 + length)
    shape = (count, length, 3, *settings.input_size)
    clips = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    return clips if normalize else normalized(clips, settings)


def normalized(clips: Tensor, settings: FrameSettings) -> Tensor:
    """Normalise clips (N, T, 3, H, W) of uint8, float32."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (settings.mean, settings.std))
    return (clips.float() - mean) / std


def compare_onnx(
    path: str | Path,
    model: ReIDModel,
    settings: FrameSettings,
    real: Tensor | None = None,
    *,
    half: bool = False,
) -> Agreement:
    """Compare a file with its model: on noise in several batch sizes, and on real clips.

    Args:
        path: A file of :func:`export_onnx`.
        model: In evaluation mode, on the CPU, float32.
        settings: How frames are prepared.
        real: Clips, uint8, RGB, (N, T, 3, H, W).
        half: Whether the file computes in float16, of which only the direction is asked.

    Raises:
        ValueError: If they differ by more than 1e-4, in half precision if a cosine is below
            0.999, or the file cannot be computed.
    """
    exported = OnnxReID(path)
    reference = EmbeddingGraph(model, settings, True, torch.float32).eval()
    batches = [random_clips(settings, n, settings.clip_len, True) for n in (1, 2, 5)]
    if exported.clip_len_free:
        batches += [random_clips(settings, 2, n, True) for n in (1, settings.clip_len + 3)]
    if real is not None:
        batches += list(real.split(8))
    clips, difference, cosine = 0, 0.0, 1.0
    for batch in batches:
        with torch.no_grad():
            expected = reference(batch).numpy().astype(np.float64)
            prepared = exported.data_preprocessor(dict(inputs=dict(frames=batch)))['inputs']
            got = _computed(exported, prepared, str(path)).numpy().astype(np.float64)
        scale = np.maximum(1, np.sqrt((expected**2).mean(axis=1, keepdims=True)))
        lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(got, axis=1)
        clips += len(batch)
        # A value that is no number must not pass for agreement, as it would in a maximum.
        apart = np.nan_to_num(np.abs(expected - got) / scale, nan=np.inf).max()
        alike = np.nan_to_num((expected * got).sum(axis=1) / lengths, nan=-1).min()
        difference, cosine = max(difference, float(apart)), min(cosine, float(alike))
    if cosine < LEAST_COSINE or (not half and difference > LARGEST_DIFFERENCE):
        raise ValueError(
            f'the ONNX file differs from its model: by {difference:.2g} in a value (allowed '
            f'{"any" if half else LARGEST_DIFFERENCE}), least cosine {cosine:.6f} (at least '
            f'{LEAST_COSINE}), over {clips} clips'
        )
    return Agreement(clips, difference, cosine)


def embedding_parts(model: ReIDModel, width: int) -> dict[str, int]:
    """Return the names and widths of what stands side by side in an embedding."""
    if isinstance(model, VideoReID):
        return dict(
            image=model.image_encoder.feat_dim,
            projected=model.image_encoder.embed_dim,
            temporal=model.temporal.feat_dim,
        )
    return dict(embedding=width)


def _graph(
    model: ReIDModel, settings: FrameSettings, normalize: bool, half: bool
) -> EmbeddingGraph:
    """Return the graph to export; in half precision of a copy of the model."""
    dtype = torch.float16 if half else torch.float32
    own = copy.deepcopy(model).half() if half else model
    return EmbeddingGraph(own, settings, normalize, dtype).eval()


def _record(graph: EmbeddingGraph, example: Tensor, opset: int) -> tuple[Any, bool]:
    """Record a graph with free axes; also return whether the length of clips is free.

    Raises:
        ValueError: If it cannot be recorded.
    """
    clips, frames = torch.export.Dim('clips', min=1, max=4096), torch.export.Dim('frames', min=1)
    choices: list[tuple[Mapping[int, Any], bool]]
    choices = [({0: clips, 1: frames}, True), ({0: clips}, False)]
    for axes, free in choices:
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter('ignore')
                program = torch.onnx.export(
                    graph,
                    (example,),
                    input_names=['frames'],
                    output_names=['embedding'],
                    dynamic_shapes=dict(frames=axes),
                    opset_version=opset,
                    dynamo=True,
                    external_data=False,
                    verbose=False,
                )
        except Exception as error:  # torch's exporter fails in a dozen ways
            failure = error
            continue
        return program, free
    lines = [line.strip() for line in str(failure).splitlines() if line.strip()]
    reason = lines[0] if lines else type(failure).__name__
    raise ValueError(
        f'{type(graph.model).__name__} cannot be exported with a free number of clips: '
        f'{reason:.300}'
    ) from failure


def _computed(exported: OnnxReID, inputs: dict[str, Tensor], path: str) -> Tensor:
    """Compute clips with a file.

    Raises:
        ValueError: If it cannot be computed.
    """
    try:
        return exported.extract_feat(inputs)
    except Exception as error:  # onnxruntime has an exception for each of its states
        reason = str(error).partition('\n')[0]
        raise ValueError(f'{path} cannot be computed: {reason:.300}') from error
