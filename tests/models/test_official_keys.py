from pathlib import Path

import pytest
import torch

from csipreid.models.official_keys import (
    csipreid_to_official,
    official_to_csipreid,
    official_to_csipreid_keys,
)
from csipreid.models.official_layouts import CSIP

GOLDEN = Path(__file__).parents[1] / 'data' / 'golden_a'


@pytest.fixture(scope='module')
def official():
    return torch.load(GOLDEN / 'official_state_dict.pth', weights_only=True)


def test_round_trip_is_exact(official):
    back = csipreid_to_official(*official_to_csipreid(official))
    assert back.keys() == official.keys()
    assert all(torch.equal(back[key], official[key]) for key in official)


def test_keys_without_effect_are_returned_apart(official):
    _, unused = official_to_csipreid(official)
    assert set(unused) == set(CSIP.unused)


def test_every_tensor_of_a_stage2_model_is_accounted_for(official, tiny):
    ours = set(official_to_csipreid_keys(official).values()) | set(CSIP.ours_only)
    official_keys = {key for key in tiny.stage2().state_dict() if '.layers.' not in key}
    assert official_keys == {key for key in ours if '.layers.' not in key}


def test_our_model_survives_the_way_there_and_back(tiny):
    encoder = tiny.skeleton_encoder | dict(encoding='published')
    state_dict = tiny.stage2(skeleton_encoder=encoder).state_dict()
    back, _ = official_to_csipreid(csipreid_to_official(state_dict))
    assert set(state_dict) - set(back) == set(CSIP.ours_only[1:])
    assert all(torch.equal(back[key], state_dict[key]) for key in back)


def test_unknown_key_is_named(official):
    with pytest.raises(ValueError, match=r'1 unknown: text_encoder\.weight'):
        official_to_csipreid({**official, 'text_encoder.weight': torch.zeros(1)})


def test_missing_key_is_named(official):
    rest = {key: value for key, value in official.items() if key != 'TMM.ln_1.bias'}
    with pytest.raises(ValueError, match=r'1 missing: TMM\.ln_1\.bias'):
        official_to_csipreid(rest)


def test_missing_layer_is_noticed(official):
    rest = {key: value for key, value in official.items() if 'resblocks.5.' not in key}
    with pytest.raises(ValueError, match='12 missing'):
        official_to_csipreid(rest)


def test_keys_without_effect_may_be_missing(official):
    rest = {key: value for key, value in official.items() if key not in CSIP.unused}
    _, unused = official_to_csipreid(rest)
    assert unused == {}


def test_other_encoding_cannot_be_exported(tiny):
    with pytest.raises(ValueError, match='positional encoding'):
        csipreid_to_official(tiny.stage2().state_dict())
