"""What tells one model from another: a hash of its weights and of how frames are prepared."""

import hashlib
import json
from collections.abc import Sequence

from torch import nn

from csipreid.deployment.frame_settings import FrameSettings


def fingerprint(
    model: nn.Module, settings: FrameSettings, training_only: Sequence[str] = ()
) -> str:
    """Hash what an embedding depends on; a published checkpoint has the hash of its origin.

    Args:
        model: In the precision it was trained in, on any device.
        settings: How frames are prepared.
        training_only: Beginnings of the names of weights that no embedding depends on.

    Returns:
        64 hexadecimal digits. Equal models and settings have equal ones.
    """
    digest = hashlib.sha256(json.dumps(settings.values(), sort_keys=True).encode())
    digest.update(b'flip' if getattr(model, 'flip_test', False) else b'')
    for name, tensor in sorted(model.state_dict().items()):
        if training_only and name.startswith(tuple(training_only)):
            continue
        plain = tensor.detach().cpu().contiguous()
        digest.update(f'{name} {plain.dtype} {tuple(plain.shape)}'.encode())
        digest.update(plain.flatten().view(-1).numpy().tobytes())
    return digest.hexdigest()
