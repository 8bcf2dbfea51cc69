import pytest

from csipreid.evaluation.protocol import Protocol, get_protocol, list_protocols


def test_presets_say_whether_queries_are_ranked():
    rules = {name: get_protocol(name).query_in_gallery for name in list_protocols()}
    among = {name for name, ranked in rules.items() if ranked}
    assert among == {'mars_official', 'tfclip'}
    assert set(rules) - among == {'csip', 'market', 'ilids', 'biwi', 'ias', 'ks20', 'kgbd'}


def test_only_official_mars_takes_trapezoids():
    chosen = [n for n in list_protocols() if get_protocol(n).average_precision == 'trapezoid']
    assert chosen == ['mars_official']


def test_identity_0_is_a_person_in_ilids():
    assert get_protocol('ilids').distractor_pid is None


def test_a_rule_can_be_changed():
    changed = get_protocol(dict(base='csip', average_precision='trapezoid'))
    assert changed == Protocol('csip (changed)', False, 'trapezoid')


def test_a_protocol_passes_through():
    protocol = Protocol('mine', query_in_gallery=False)
    assert get_protocol(protocol) is protocol


@pytest.mark.parametrize('wrong', ['mars', dict(name='csip')])
def test_unknown_preset_is_named(wrong):
    with pytest.raises(ValueError, match=r'known protocols: .*mars_official'):
        get_protocol(wrong)


def test_unknown_rule_is_named():
    with pytest.raises(ValueError, match=r"unknown rules \['junk'\]"):
        get_protocol(dict(base='csip', junk=-1))


def test_a_query_must_not_match_itself():
    with pytest.raises(ValueError, match='each query would match itself'):
        get_protocol(dict(base='tfclip', same_camera='keep'))


@pytest.mark.parametrize('rule', ['same_camera', 'average_precision'])
def test_misspelt_choice_is_named(rule):
    with pytest.raises(ValueError, match=f"{rule} must be .* got 'x'"):
        get_protocol({'base': 'csip', rule: 'x'})


def test_unknown_metric_is_named():
    with pytest.raises(ValueError, match="metric must be 'cosine' or 'euclidean', got 'l2'"):
        get_protocol(dict(base='csip', metric='l2'))


@pytest.mark.parametrize('name', ['biwi', 'ias', 'ks20', 'kgbd'])
def test_skeleton_presets_rank_probes_against_the_gallery_whatever_the_view(name):
    protocol = get_protocol(dict(base=name, metric='euclidean'))
    assert (protocol.query_in_gallery, protocol.same_camera) == (False, 'keep')
    assert (protocol.junk_pid, protocol.distractor_pid) == (None, None)
