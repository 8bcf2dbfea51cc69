import sys

import pytest
import torch

from csipreid.checkpoint import fill_module
from csipreid.registry import MODELS


def build(**kwargs):
    config = dict(type='PromptedTextEncoder', embed_dim=6, width=8, num_layers=2, num_heads=2)
    return MODELS.build(config | kwargs)


@pytest.fixture(params=['quick_gelu', 'gelu'])
def pair(request):
    """open_clip's own tower and ours with its weights, both with biases that show."""
    transformer = pytest.importorskip('open_clip.transformer')
    torch.manual_seed(0)
    kind = dict(quick_gelu=transformer.QuickGELU, gelu=torch.nn.GELU)[request.param]
    theirs = transformer.TextTransformer(
        vocab_size=49408, width=8, heads=2, layers=2, output_dim=6, act_layer=kind
    ).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    ours = build(activation=request.param)
    fill_module(ours, theirs.state_dict(), 'the text tower')
    return theirs, ours


def test_equals_the_tower_of_open_clip_on_the_same_sentence(pair):
    theirs, ours = pair
    ids = torch.tensor([ours.token_ids])
    words = theirs.token_embedding(ids)[:, ours.places.start : ours.places.stop]
    torch.testing.assert_close(ours(words), theirs(ids), atol=1e-5, rtol=1e-5)


def test_words_stand_in_the_place_of_x_in_their_order():
    encoder = build()
    words = torch.randn(3, 4, 8)
    embedded = encoder.embed(words)
    assert embedded.shape == (3, 77, 8)
    assert torch.equal(embedded[:, 5:9], words)
    assert not torch.equal(encoder(words), encoder(words.flip(1)))


def test_tokens_are_those_of_the_published_code():
    ids = build().token_ids
    assert ids[:12] == [49406, 320, 1125, 539, 320, *[343] * 4, 2533, 269, 49407]
    assert ids[12:] == [0] * 65


def test_only_the_words_get_a_gradient():
    encoder = build()
    words = torch.randn(2, 4, 8, requires_grad=True)
    encoder(words).sum().backward()
    assert words.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in encoder.parameters())


@pytest.mark.parametrize('prompt', ['A photo of a person.', 'X photo of X.', 'X ' + 'a ' * 80])
def test_sentence_that_cannot_be_is_refused(prompt):
    with pytest.raises(ValueError, match=r'prompt (must hold one X|has \d+ tokens)'):
        build(prompt=prompt)


def test_without_open_clip_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'open_clip.tokenizer', None)
    with pytest.raises(ImportError, match=r"open_clip, which is not installed: pip install 'csip"):
        build()


def test_weights_that_do_not_fit_are_named():
    state = build().state_dict()
    del state['ln_final.bias']
    with pytest.raises(ValueError, match=r'1 keys are missing from it: ln_final\.bias'):
        fill_module(build(), state, 'the text tower')
