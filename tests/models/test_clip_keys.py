import pytest
import torch

from csipreid.models.clip_keys import ARCHS, clip_to_csipreid

WIDTH, PATCH, EMBED_DIM = 768, 32, 512


@pytest.fixture
def openai():
    """Names and shapes of OpenAI's ViT-B/32 with one layer, without memory for values."""
    block = 'visual.transformer.resblocks.0.'
    shapes = {
        'visual.class_embedding': (WIDTH,),
        'visual.positional_embedding': (50, WIDTH),
        'visual.proj': (WIDTH, EMBED_DIM),
        'visual.conv1.weight': (WIDTH, 3, PATCH, PATCH),
        block + 'attn.in_proj_weight': (3 * WIDTH, WIDTH),
        block + 'attn.in_proj_bias': (3 * WIDTH,),
        block + 'attn.out_proj.weight': (WIDTH, WIDTH),
        block + 'attn.out_proj.bias': (WIDTH,),
        block + 'mlp.c_fc.weight': (4 * WIDTH, WIDTH),
        block + 'mlp.c_fc.bias': (4 * WIDTH,),
        block + 'mlp.c_proj.weight': (WIDTH, 4 * WIDTH),
        block + 'mlp.c_proj.bias': (WIDTH,),
    }
    for norm in ('visual.ln_pre', 'visual.ln_post', block + 'ln_1', block + 'ln_2'):
        shapes |= {f'{norm}.weight': (WIDTH,), f'{norm}.bias': (WIDTH,)}
    return {name: torch.zeros(1).expand(shape) for name, shape in shapes.items()}


def test_image_tower_alone_is_the_same(openai):
    alone = {key.removeprefix('visual.'): value for key, value in openai.items()}
    whole, part = (clip_to_csipreid(state, (64, 32)) for state in (openai, alone))
    assert whole.state_dict.keys() == part.state_dict.keys()
    assert whole.arch == part.arch == 'b32'


def test_reduced_depth_is_described(openai):
    assert clip_to_csipreid(openai, (64, 32)).arch_config == dict(
        embed_dims=768, num_layers=1, num_heads=12, feedforward_channels=3072, patch_size=32
    )


def test_position_embedding_is_resized_bilinearly(openai):
    # A plane: linear in rows and columns, which interpolation inside the grid keeps.
    rows, columns = torch.meshgrid(torch.arange(7.0), torch.arange(7.0), indexing='ij')
    embedding = torch.cat([torch.tensor([5.0]), (10 * rows + columns).flatten()])
    openai['visual.positional_embedding'] = embedding[:, None].expand(50, WIDTH)
    tower = clip_to_csipreid(openai, (14 * 32, 7 * 32))
    assert (tower.source_grid, tower.grid) == ((7, 7), (14, 7))
    resized = tower.state_dict['pos_embed'][0, :, 0]
    assert resized[0] == 5
    # Row i of 14 lies at (i + 0.5) / 2 - 0.5 of 7.
    assert resized[1:].view(14, 7)[5, 3] == pytest.approx(10 * 2.25 + 3)


def test_embedding_of_the_image_size_is_kept(openai):
    openai['visual.positional_embedding'] = torch.randn(33, WIDTH)  # 8 x 4 patches
    tower = clip_to_csipreid(openai, (256, 128))
    kept = tower.state_dict['pos_embed'][0]
    assert torch.equal(kept, openai['visual.positional_embedding'])


def test_text_tower_is_left_out(openai):
    text = ['transformer.resblocks.0.ln_1.bias', 'positional_embedding', 'logit_scale']
    tower = clip_to_csipreid(openai | {key: torch.ones(1) for key in text}, (64, 32))
    assert tower.left_out == sorted(text)


def test_names_of_parallel_training_are_understood(openai):
    parallel = {f'module.{key}': value for key, value in openai.items()}
    assert clip_to_csipreid(parallel, (64, 32)).library == 'OpenAI or open_clip'


def test_unknown_key_of_the_image_tower_is_refused(openai):
    openai['visual.attn_pool.query'] = torch.ones(1)
    with pytest.raises(ValueError, match=r'1 keys are unknown: visual\.attn_pool\.query'):
        clip_to_csipreid(openai, (64, 32))


def test_tower_without_projection_is_refused(openai):
    del openai['visual.proj']
    with pytest.raises(ValueError, match=r'1 keys are missing: visual\.proj'):
        clip_to_csipreid(openai, (64, 32))


def test_other_sizes_are_refused(openai):
    openai['visual.proj'] = torch.ones(WIDTH, 640)
    with pytest.raises(
        ValueError, match=r'is \(768, 32, 640\), expected one of b32 \(768, 32, 512'
    ):
        clip_to_csipreid(openai, (64, 32))


def test_contradicting_shape_is_refused(openai):
    openai['visual.ln_pre.bias'] = torch.ones(512)
    with pytest.raises(ValueError, match=r'pre_norm\.bias has shape \(512,\), expected \(768,\)'):
        clip_to_csipreid(openai, (64, 32))


def test_unknown_grid_is_refused(openai):
    openai['visual.positional_embedding'] = torch.ones(34, WIDTH)
    with pytest.raises(ValueError, match='33 patches, neither a square grid nor the 2 x 1'):
        clip_to_csipreid(openai, (64, 32))


def test_image_smaller_than_a_patch_is_refused(openai):
    with pytest.raises(ValueError, match='smaller than a patch of 32'):
        clip_to_csipreid(openai, (64, 16))


def test_something_else_is_refused():
    with pytest.raises(ValueError, match='no CLIP Vision Transformer found among the 1 keys'):
        clip_to_csipreid({'weight': torch.ones(1)}, (64, 32))


def test_archs_are_those_that_the_encoder_knows():
    from csipreid.registry import MODELS

    for (width, patch_size, embed_dim), arch in ARCHS.items():
        with torch.device('meta'):
            encoder = MODELS.build(
                dict(type='CLIPVisionTransformer', arch=arch, image_size=(224, 224))
            )
        assert (encoder.feat_dim, encoder.embed_dim) == (width, embed_dim)
        assert encoder.patch_embed.projection.kernel_size == (patch_size, patch_size)
