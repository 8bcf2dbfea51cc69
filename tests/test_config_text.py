import pytest
from mmengine.config import Config

from csipreid.config_text import check_types, parse_config


def test_a_config_comes_back_as_it_was_written():
    content = dict(
        model=dict(type='A', sizes=(1, -2.5), parts=[dict(x=None), {'a.b': True}]),
        name="it's",
    )
    assert parse_config(Config(content).pretty_text, 'x').to_dict() == content


@pytest.mark.parametrize(
    'text',
    [
        'import os', 'a = open("x", "w")', 'a = __import__("os")', 'a = [x for x in (1,)]', 'a =',
        'a = b', 'open("x", "w")', 'a.b = 1', 'a = ' + '[' * 9999, 'a = 9 ** 9 ** 9', 3,
        'a = dict(**3)',
    ],
)  # fmt: skip
def test_a_program_is_refused(text):
    with pytest.raises(ValueError, match='the config in x cannot be read'):
        parse_config(text, 'x')


@pytest.mark.parametrize('kind', ['os.system', 'csipreid.a.B', 'Unknown', 3])
def test_a_type_that_is_not_registered_is_refused(kind):
    with pytest.raises(ValueError, match='no known type'):
        check_types(dict(parts=[dict(type='mm.Known', inner=dict(type=kind))]), {'Known': 1}, 'x')
