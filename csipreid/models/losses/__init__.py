"""Losses of both stages."""

from csipreid.models.losses.batch_hard_triplet_loss import BatchHardTripletLoss
from csipreid.models.losses.cross_modal_sup_con_loss import CrossModalSupConLoss
from csipreid.models.losses.graph_prototype_loss import GraphPrototypeLoss
from csipreid.models.losses.identity_loss import IdentityLoss
from csipreid.models.losses.joint_loss import JointLoss
from csipreid.models.losses.prototype_contrastive_loss import PrototypeContrastiveLoss
from csipreid.models.losses.sup_con_loss import SupConLoss

__all__ = [
    'BatchHardTripletLoss',
    'CrossModalSupConLoss',
    'GraphPrototypeLoss',
    'IdentityLoss',
    'JointLoss',
    'PrototypeContrastiveLoss',
    'SupConLoss',
]
