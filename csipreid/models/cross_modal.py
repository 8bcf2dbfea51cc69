"""Image and skeleton embeddings of clips in their shared space."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from csipreid.structures import ReIDDataSample


class CrossModalEmbeddings(NamedTuple):
    """Embeddings of B clips, not normalised.

    Attributes:
        image: Float, (B, D).
        skeleton: Float, (B, D); zero for a clip without a skeleton.
        valid: Whether a clip has any skeleton, bool, (B,).
    """

    image: Tensor
    skeleton: Tensor
    valid: Tensor


def image_embedding(image_encoder: nn.Module, frames: Tensor) -> Tensor:
    """Average the projected global token of a clip's frames.

    Args:
        image_encoder: Encoder of N frames, (N, 3, H, W) to ``ImageTokens``; one with a
            method ``global_embedding`` (to (N, D)) is asked for no more than that.
        frames: Normalised RGB, float, (B, T, 3, H, W).

    Returns:
        Float, (B, D).
    """
    flat = frames.flatten(0, 1)  # (B * T, 3, H, W)
    embed = getattr(image_encoder, 'global_embedding', None)
    projected = image_encoder(flat).projected[:, 0] if embed is None else embed(flat)  # (B * T, D)
    return projected.unflatten(0, frames.shape[:2]).mean(dim=1)


def skeleton_tokens(
    skeleton_encoder: nn.Module, skeleton_head: nn.Module, inputs: dict[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """Encode the skeletons of B clips.

    Args:
        skeleton_encoder: (B, T, V, C) to joint features (B, T, V, D).
        skeleton_head: Joint features to tokens (B, T, V, P).
        inputs: With ``skeletons`` (B, T, V, C) and ``skeleton_valid`` (B, T).

    Returns:
        Tokens, float, (B, T, V, P), and which frames have a skeleton, bool, (B, T).

    Raises:
        ValueError: If the inputs hold no skeletons.
    """
    skeletons, valid = true_skeletons(inputs)
    return skeleton_head(skeleton_encoder(skeletons)), valid


def true_skeletons(inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return the skeletons of B clips, zero where a frame has none, and which have one.

    Args:
        inputs: With ``skeletons`` (B, T, V, C) and ``skeleton_valid`` (B, T).

    Returns:
        Float, (B, T, V, C), and bool, (B, T).

    Raises:
        ValueError: If the inputs hold no skeletons.
    """
    if 'skeletons' not in inputs:
        raise ValueError(
            'the inputs hold no skeletons; add the LoadSkeletons transform to the pipeline'
        )
    skeletons = inputs['skeletons']
    valid = inputs.get('skeleton_valid')
    if valid is None:
        valid = torch.ones(skeletons.shape[:2], dtype=torch.bool, device=skeletons.device)
    # What stands in a frame without a skeleton must not reach a gradient.
    return skeletons.masked_fill(~valid[:, :, None, None], 0), valid


def labels_of(
    data_samples: Sequence[ReIDDataSample], device: torch.device, num_ids: int | None = None
) -> Tensor:
    """Collect the training labels.

    Args:
        data_samples: One per clip.
        device: Where the labels are needed.
        num_ids: Number of identities K that the model knows; None for any.

    Returns:
        Labels, int64, (B,).

    Raises:
        ValueError: If a label is outside [0, K).
    """
    labels = [sample.label for sample in data_samples]
    if min(labels) < 0:
        raise ValueError(
            f'label must be at least 0 in training, got {min(labels)}; '
            "only the subset 'train' of a data set has labels"
        )
    if num_ids is not None and max(labels) >= num_ids:
        raise ValueError(
            f'label must be below num_ids = {num_ids}, got {max(labels)}; build the model '
            'with the num_ids of the training set'
        )
    # With device=… the copy would wait until the device is idle.
    return torch.tensor(labels).to(device, non_blocking=True)


def clip_counts(data_samples: Sequence[ReIDDataSample], num_clips: int) -> list[int]:
    """Return how many of the batch's clips belong to each sample.

    Raises:
        ValueError: If the samples' ``num_clips`` do not add up to ``num_clips``.
    """
    counts = [int(sample.get('num_clips', 1)) for sample in data_samples]
    if sum(counts) != num_clips:
        raise ValueError(
            f'the num_clips of the samples add up to {sum(counts)}, but the batch has {num_clips} '
            'clips; does SampleClip stand in the pipeline?'
        )
    return counts


def mean_over_clips(embeddings: Tensor, counts: Sequence[int]) -> Tensor:
    """Average the embeddings (N, D) of each sample's clips, (len(counts), D)."""
    return torch.stack([part.mean(dim=0) for part in embeddings.split(list(counts))])
