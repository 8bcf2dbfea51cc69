"""Identity prototypes and their update by a clip."""

from csipreid.models.prototypes.clip_memory import clip_memory
from csipreid.models.prototypes.prototype_bank import PrototypeBank
from csipreid.models.prototypes.prototype_fusion_updater import (
    PrototypeFusionUpdater,
    SequenceSpecificPrompt,
)

__all__ = ['PrototypeBank', 'PrototypeFusionUpdater', 'SequenceSpecificPrompt', 'clip_memory']
