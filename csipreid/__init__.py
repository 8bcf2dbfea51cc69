"""csipreid: skeleton-image pretraining for video-based person re-identification."""

import os
import warnings
from importlib import metadata

from csipreid.version import __version__

__all__ = ['__version__']

# Torch's own switch for huge pages on Linux, read at its first tensor: without them the system
# hands out the temporary tensors of a training step on the CPU in millions of small pages.
os.environ.setdefault('THP_MEM_ALLOC_ENABLE', '1')

# mmcv tells at import that its compiled operators are absent; nothing here uses them.
warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')


def _is_installed(distribution: str) -> bool:
    """Tell whether pip knows a distribution of that name."""
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def _refuse_mixed_installation() -> None:
    """Refuse an environment in which an OpenMMLab package overwrites its fork."""
    for name in ('mmengine', 'mmcv', 'mmpretrain'):
        fork = f'onedl-{name}'
        originals = [n for n in (name, f'{name}-lite', f'{name}-full') if _is_installed(n)]
        if originals and _is_installed(fork):
            raise ImportError(
                f"{originals[0]} and {fork} are both installed and overwrite each other's "
                f'files; uninstall both, then install one of them: pip install {fork}'
            )


_refuse_mixed_installation()
