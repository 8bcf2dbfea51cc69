"""What the prototypes of a clip look at."""

import torch
from torch import Tensor


def clip_memory(
    image_tokens: Tensor, skeleton_tokens: Tensor, skeleton_valid: Tensor
) -> tuple[Tensor, Tensor]:
    """Average the tokens of both modalities over the frames of each clip.

    Args:
        image_tokens: Projected image tokens, float, (B, T, L, P).
        skeleton_tokens: Float, (B, T, V, P).
        skeleton_valid: Whether a frame has a skeleton, bool, (B, T).

    Returns:
        Mean image tokens, then mean skeleton tokens over the frames that have
        a skeleton, float, (B, L + V, P); and which of them count, bool,
        (B, L + V): the skeleton tokens of a clip without any skeleton do not.
    """
    count = skeleton_valid.sum(dim=1).clamp(min=1)[:, None, None]  # (B, 1, 1)
    found = skeleton_tokens.masked_fill(~skeleton_valid[:, :, None, None], 0)
    memory = torch.cat([image_tokens.mean(dim=1), found.sum(dim=1) / count], dim=1)
    valid = skeleton_valid.any(dim=1, keepdim=True).repeat(1, memory.shape[1])
    valid[:, : image_tokens.shape[2]] = True
    return memory, valid
