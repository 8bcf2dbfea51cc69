"""Batches of testing in chunks of clips, so that memory does not grow with tracklets."""

from collections.abc import Iterator, Sequence

import torch

from csipreid.models.cross_modal import clip_counts, mean_over_clips
from csipreid.structures import ReIDDataSample


def clip_chunks(data: dict, max_clips: int) -> Iterator[dict]:
    """Cut a collated batch into batches in which each clip is a sample of its own.

    Args:
        data: ``inputs``: dict of lists with one tensor per tracklet, of one
            clip or, with one axis more, of all its clips, or of tensors of all
            tracklets; ``data_samples``.
        max_clips: Clips of a chunk.

    Yields:
        Batches of the same kind, with at most ``max_clips`` clips.

    Raises:
        ValueError: If the samples' ``num_clips`` are not those of the frames.
    """
    samples = data['data_samples']
    axes_of = dict(frames=5, frame_features=3, skeletons=4)  # with all clips of a tracklet
    name = next(key for key in axes_of if key in data['inputs'])
    several = [clips.ndim == axes_of[name] for clips in data['inputs'][name]]
    counts = [
        len(clips) if many else 1 for clips, many in zip(data['inputs'][name], several, strict=True)
    ]
    clip_counts(samples, sum(counts))
    places = [(row, clip) for row, count in enumerate(counts) for clip in range(count)]
    for start in range(0, len(places), max_clips):
        chosen = places[start : start + max_clips]
        yield dict(
            inputs={
                key: [tensors[row][clip] if several[row] else tensors[row] for row, clip in chosen]
                for key, tensors in data['inputs'].items()
            },
            data_samples=[_clip_sample(samples[row], clip, several[row]) for row, clip in chosen],
        )


def join_clips(
    data_samples: Sequence[ReIDDataSample], clips: Sequence[ReIDDataSample]
) -> list[ReIDDataSample]:
    """Write the means over their clips into the samples of tracklets.

    Args:
        data_samples: The tracklets.
        clips: Their clips, one tracklet after the other, with ``embedding``
            (D,) and perhaps ``image_embedding``, ``skeleton_embedding`` and
            ``has_skeleton``. Skeletons are averaged over the clips that have one.

    Returns:
        The samples of the tracklets.
    """
    counts = clip_counts(data_samples, len(clips))
    for name in ('embedding', 'image_embedding'):
        if name in clips[0]:
            means = mean_over_clips(torch.stack([clip.get(name) for clip in clips]), counts)
            for sample, mean in zip(data_samples, means, strict=True):
                sample.set_field(mean, name)
    if 'skeleton_embedding' not in clips[0]:
        return list(data_samples)
    start = 0
    for sample, count in zip(data_samples, counts, strict=True):
        own = clips[start : start + count]
        start += count
        found = [clip for clip in own if clip.has_skeleton]
        sample.has_skeleton = bool(found)
        skeletons = torch.stack([clip.skeleton_embedding for clip in found or own])
        sample.skeleton_embedding = mean_over_clips(skeletons, [len(skeletons)])[0]
    return list(data_samples)


def _clip_sample(sample: ReIDDataSample, clip: int, several: bool) -> ReIDDataSample:
    """Describe one clip of a tracklet."""
    known = {key: value for key, value in sample.items() if key not in ('frame_paths', 'num_clips')}
    if several and 'skeleton_valid' in known:
        known['skeleton_valid'] = known['skeleton_valid'][clip]
    return ReIDDataSample(**known, num_clips=1)
