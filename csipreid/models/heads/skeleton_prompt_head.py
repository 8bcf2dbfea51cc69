"""Structure and trajectory prompts of TranSG."""

import torch
from torch import Tensor, nn

from csipreid.registry import MODELS


@MODELS.register_module()
class SkeletonPromptHead(nn.Module):
    """Predict all joints of a sequence from a part of their features, in two ways.

    - Structure: some joints, the same in the whole batch, are hidden. From the mean feature of
      the others in a frame all joints of the frame are predicted.
    - Trajectory: some frames are hidden. From the mean feature of a joint in the others all its
      positions are predicted.

    The loss is ``weight * S + (1 - weight) * T``, each the mean absolute error over the
    predicted coordinates, divided by the size of the batch, as published. Frames without a
    skeleton do not count, neither as inputs nor as targets.

    Source:
        Rao and Miao, TranSG, CVPR 2023, structure-trajectory prompted reconstruction; sizes,
        initial values and the division by the batch as in its published code.

    Args:
        in_dim: Width D of the joint features.
        num_joints: Joints V of a skeleton.
        clip_len: Frames T of a clip.
        hidden_joints: Joints that are hidden, in [1, V - 1].
        hidden_frames: Frames that are hidden, in [1, T - 1].
        structure_weight: Share of the structure loss, in [0, 1].
        loss_weight: Factor of the result.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        in_dim: int,
        num_joints: int,
        clip_len: int = 6,
        hidden_joints: int = 10,
        hidden_frames: int = 2,
        structure_weight: float = 0.5,
        loss_weight: float = 0.5,
    ) -> None:
        super().__init__()
        for name, value, limit in (
            ('hidden_joints', hidden_joints, num_joints),
            ('hidden_frames', hidden_frames, clip_len),
        ):
            if not 1 <= value < limit:
                raise ValueError(f'{name} must be in [1, {limit - 1}], got {value}')
        if not 0 <= structure_weight <= 1:
            raise ValueError(f'structure_weight must be in [0, 1], got {structure_weight}')
        self.num_joints, self.clip_len = num_joints, clip_len
        self.hidden_joints, self.hidden_frames = hidden_joints, hidden_frames
        self.structure_weight, self.loss_weight = structure_weight, loss_weight
        self.structure = _predictor(in_dim, in_dim, 3 * num_joints)
        self.trajectory = _predictor(in_dim, in_dim // 2, 3 * clip_len)

    def forward(self, tokens: Tensor, skeletons: Tensor, valid: Tensor) -> Tensor:
        """Compute the loss of one batch; the hidden joints and frames are drawn.

        Args:
            tokens: Joint features, float, (B, T, V, D).
            skeletons: Joint positions relative to the root, metres, float, (B, T, V, 3).
            valid: Which frames have a skeleton, bool, (B, T).

        Returns:
            Metres over the size of the batch, shape ().

        Raises:
            ValueError: If joints or frames are not those of the head.
        """
        if skeletons.shape[1:3] != (self.clip_len, self.num_joints):
            raise ValueError(
                f'clips must have {self.clip_len} frames of {self.num_joints} joints, got '
                f'{tuple(skeletons.shape[1:3])}; see clip_len of the prompt head and of SampleClip'
            )
        batch = len(tokens)
        device = tokens.device
        joints = torch.randperm(self.num_joints, device=device)[self.hidden_joints :]
        frames = torch.randperm(self.clip_len, device=device)[self.hidden_frames :]
        counts = valid.to(tokens.dtype)[:, :, None, None]  # (B, T, 1, 1)

        body = tokens[:, :, joints].mean(dim=2)  # (B, T, D)
        predicted = self.structure(body).unflatten(-1, (self.num_joints, 3))  # (B, T, V, 3)
        structure = _mean_error(predicted, skeletons, counts)

        shown = counts[:, frames]
        moves = (tokens[:, frames] * shown).sum(dim=1) / shown.sum(dim=1).clamp(min=1)  # (B, V, D)
        predicted = self.trajectory(moves).unflatten(-1, (self.clip_len, 3))  # (B, V, T, 3)
        trajectory = _mean_error(predicted.transpose(1, 2), skeletons, counts)

        share = self.structure_weight
        return self.loss_weight * (share * structure + (1 - share) * trajectory) / batch


def _predictor(in_dim: int, hidden: int, out_dim: int) -> nn.Sequential:
    """Make a network of two layers with standard normal weights."""
    network = nn.Sequential(nn.Linear(in_dim, hidden), nn.ReLU(), nn.Linear(hidden, out_dim))
    for layer in network:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    return network


def _mean_error(predicted: Tensor, target: Tensor, counts: Tensor) -> Tensor:
    """Average absolute errors (B, T, V, 3) over the frames that count, (B, T, 1, 1)."""
    errors = ((predicted - target).abs() * counts).sum()
    return errors / (counts.sum() * target.shape[2] * target.shape[3]).clamp(min=1)
