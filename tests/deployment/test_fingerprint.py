import torch
from torch import nn

from csipreid.deployment.fingerprint import fingerprint
from csipreid.deployment.frame_settings import FrameSettings

SETTINGS = FrameSettings((4, 2), (1, 2, 3), (4, 5, 6))


def test_only_what_an_embedding_depends_on_counts():
    torch.manual_seed(0)
    model = nn.ModuleDict(dict(tower=nn.Linear(2, 2), head=nn.Linear(2, 2)))
    first = fingerprint(model, SETTINGS, ['head.'])
    nn.init.zeros_(model['head'].weight)
    assert fingerprint(model, SETTINGS, ['head.']) == first
    assert fingerprint(model, FrameSettings((4, 2), (1, 2, 3), (4, 5, 7)), ['head.']) != first
    nn.init.zeros_(model['tower'].bias)
    assert fingerprint(model, SETTINGS, ['head.']) != first
