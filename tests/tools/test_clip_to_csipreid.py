import importlib.util
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from csipreid.checkpoint import fill_module, read_checkpoint, select_part
from csipreid.registry import MODELS

ROOT = Path(__file__).parents[2]
# CLIP's towers with one or two layers: width, patch size, width of the projection.
TOWERS = dict(b32=(768, 32, 512), b16=(768, 16, 512), l14=(1024, 14, 768))
SIZES = [(224, 224), (256, 128)]


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools' / 'model_converters' / 'clip_to_csipreid.py'
    spec = importlib.util.spec_from_file_location('clip_to_csipreid', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def open_clip_model(arch, image_size, num_layers=1):
    open_clip = pytest.importorskip('open_clip')
    width, patch_size, embed_dim = TOWERS[arch]
    return open_clip.CLIP(
        embed_dim=embed_dim,
        vision_cfg=dict(
            image_size=image_size, layers=num_layers, width=width, patch_size=patch_size
        ),
        text_cfg=dict(context_length=4, vocab_size=8, width=64, heads=1, layers=1),
        quick_gelu=True,
    ).eval()


def transformers_model(arch, image_size, num_layers=1):
    transformers = pytest.importorskip('transformers')
    width, patch_size, embed_dim = TOWERS[arch]
    config = transformers.CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=num_layers,
        num_attention_heads=width // 64,
        image_size=image_size,
        patch_size=patch_size,
        projection_dim=embed_dim,
    )
    model = transformers.CLIPVisionModelWithProjection(config).eval()
    # Zero at first, so that a bias left out or swapped would not show.
    for name, parameter in model.named_parameters():
        if name.endswith('bias'):
            nn.init.normal_(parameter, std=0.1)
    return model


def resized(embedding, image_size, patch_size):
    """The stated rule for the position embedding (1 + h * w, W), written again."""
    side = round((len(embedding) - 1) ** 0.5)
    grid = (image_size[0] // patch_size, image_size[1] // patch_size)
    patches = embedding[1:].T.reshape(1, -1, side, side)
    patches = F.interpolate(patches, size=grid, mode='bilinear', align_corners=False)
    return torch.cat([embedding[:1], patches.flatten(2)[0].T])


def converted(tool, source, arch, image_size, num_layers=1):
    """Run the command and build our encoder from the file it writes."""
    target = source.with_name('converted.pth')
    tool.main([str(source), str(target), '--image-size', *map(str, image_size)])
    width, patch_size, embed_dim = TOWERS[arch]
    sizes = dict(
        embed_dims=width,
        num_layers=num_layers,
        num_heads=width // 64,
        feedforward_channels=4 * width,
        patch_size=patch_size,
    )
    encoder = MODELS.build(
        dict(type='CLIPVisionTransformer', arch=sizes, image_size=image_size, embed_dim=embed_dim)
    )
    fill_module(encoder, read_checkpoint(target)['state_dict'], 'converted')
    return encoder.eval()


def close(actual, expected):
    return (actual - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.slow
@pytest.mark.parametrize('image_size', SIZES, ids=str)
@pytest.mark.parametrize('arch', TOWERS)
@torch.no_grad()
def test_features_equal_those_of_open_clip(tool, tmp_path, arch, image_size):
    model = open_clip_model(arch, 224, num_layers=2)
    torch.save(model.state_dict(), tmp_path / 'open_clip.pt')
    encoder = converted(tool, tmp_path / 'open_clip.pt', arch, image_size, num_layers=2)
    theirs = open_clip_model(arch, image_size, num_layers=2)
    state = model.state_dict()
    name = 'visual.positional_embedding'
    state[name] = resized(state[name], image_size, TOWERS[arch][1])
    theirs.load_state_dict(state)
    theirs.visual.output_tokens = True

    frames = torch.randn(2, 3, *image_size)
    tokens, projected = encoder(frames)[:2]
    pooled, patches = theirs.visual(frames)
    assert close(projected[:, 0], pooled)
    assert close(tokens[:, 1:], patches)


@pytest.mark.slow
@pytest.mark.parametrize('image_size', SIZES, ids=str)
@pytest.mark.parametrize('arch', TOWERS)
@torch.no_grad()
def test_features_equal_those_of_transformers(tool, tmp_path, arch, image_size):
    model = transformers_model(arch, 224, num_layers=2)
    torch.save(model.state_dict(), tmp_path / 'pytorch_model.bin')
    encoder = converted(tool, tmp_path / 'pytorch_model.bin', arch, image_size, num_layers=2)
    embeddings = model.vision_model.embeddings
    table = resized(embeddings.position_embedding.weight, image_size, TOWERS[arch][1])
    # Its own way to another size is bicubic.
    embeddings.interpolate_pos_encoding = lambda *_: table[None]

    frames = torch.randn(2, 3, *image_size)
    tokens, projected = encoder(frames)[:2]
    output = model(frames, interpolate_pos_encoding=True)
    assert close(projected[:, 0], output.image_embeds)
    assert close(tokens, model.vision_model.post_layernorm(output.last_hidden_state))


def test_safetensors_of_a_whole_model(tool, tmp_path, capsys):
    save_file = pytest.importorskip('safetensors.torch').save_file
    state = transformers_model('b32', 224).state_dict()
    state |= {
        'logit_scale': torch.ones(()),
        'text_model.final_layer_norm.weight': torch.ones(2),
        'text_projection.weight': torch.ones(2, 2),
        'vision_model.embeddings.position_ids': torch.arange(50)[None],
    }
    save_file(state, tmp_path / 'model.safetensors')
    converted(tool, tmp_path / 'model.safetensors', 'b32', (256, 128))
    printed = capsys.readouterr().out
    assert 'ViT-B/32 with 1 layers, named as in transformers' in printed
    assert 'left out (text tower and scalars): 4 tensors' in printed
    assert 'resized, bilinear: 7 x 7 to 8 x 4 patches' in printed


class Tower(nn.Module):
    """Modules with the names of a state dict, as a TorchScript archive has them."""

    def __init__(self, state):
        super().__init__()
        groups = {}
        for name, tensor in state.items():
            first, _, rest = name.partition('.')
            if rest:
                groups.setdefault(first, {})[rest] = tensor
            else:
                self.register_parameter(first, nn.Parameter(tensor))
        for name, group in groups.items():
            self.add_module(name, Tower(group))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def test_torchscript_archive_in_half_precision(tool, tmp_path):
    state = open_clip_model('b32', 224).half().state_dict()
    torch.jit.script(Tower(state)).save(tmp_path / 'ViT-B-32.pt')
    encoder = converted(tool, tmp_path / 'ViT-B-32.pt', 'b32', (224, 224))
    kernel = encoder.patch_embed.projection.weight
    assert kernel.dtype == torch.float32
    assert torch.equal(kernel, state['visual.conv1.weight'].float())


def refused(tool, source, *options):
    """Error of a conversion, which must write nothing."""
    before = sorted(source.parent.iterdir())
    target = source.with_name('new') / 'converted.pth'
    with pytest.raises(SystemExit) as stop:
        tool.main([str(source), str(target), '--image-size', '256', '128', *options])
    assert sorted(source.parent.iterdir()) == before
    return str(stop.value)


class Code:
    def __reduce__(self):
        return (print, ('code ran',))


@pytest.mark.parametrize('suffix', ['.pt', '.bin', '.safetensors'])
def test_truncated_files_are_refused(tool, tmp_path, suffix):
    path = tmp_path / f'model{suffix}'
    torch.save({'visual.conv1.weight': torch.ones(2000)}, path)
    path.write_bytes(path.read_bytes()[:3000])
    assert 'truncated or not a' in refused(tool, path)


def test_truncated_torchscript_archive_is_refused(tool, tmp_path):
    path = tmp_path / 'model.pt'
    torch.jit.script(Tower({'visual.conv1': torch.ones(2000)})).save(path)
    path.write_bytes(path.read_bytes()[:3000])
    assert 'truncated or not a' in refused(tool, path)


def test_code_in_a_file_is_not_run(tool, tmp_path, capsys):
    torch.save({'visual.conv1.weight': Code()}, tmp_path / 'model.pt')
    assert 'holds Python objects' in refused(tool, tmp_path / 'model.pt')
    assert 'code ran' not in capsys.readouterr().out


def test_missing_file_is_named(tool, tmp_path):
    assert 'model.pt not found' in refused(tool, tmp_path / 'model.pt')


def test_wrong_architecture_is_refused(tool, tmp_path):
    path = tmp_path / 'model.pt'
    torch.save({'visual.layer1.0.conv1.weight': torch.ones(1)}, path)
    assert "CLIP's ResNet is not supported" in refused(tool, path)


def test_missing_key_is_refused(tool, tmp_path):
    path = tmp_path / 'model.pt'
    state = open_clip_model('b32', 224).state_dict()
    del state['visual.transformer.resblocks.0.mlp.c_fc.bias']
    torch.save(state, path)
    assert '1 keys are missing: visual.transformer.resblocks.0.mlp.c_fc.bias' in refused(tool, path)


def text_pair(library):
    """A CLIP with a text tower of two layers, its state dict, and its features of tokens."""
    torch.manual_seed(0)
    if library == 'open_clip':
        model = (
            pytest.importorskip('open_clip')
            .CLIP(
                embed_dim=512,
                vision_cfg=dict(image_size=64, layers=1, width=768, patch_size=32),
                text_cfg=dict(context_length=77, vocab_size=49408, width=64, heads=1, layers=2),
                quick_gelu=True,
            )
            .eval()
        )
        return model, lambda ids: model.encode_text(ids)
    transformers = pytest.importorskip('transformers')
    text = dict(
        hidden_size=64, intermediate_size=256, num_hidden_layers=2, num_attention_heads=1,
        vocab_size=49408, max_position_embeddings=77, projection_dim=512, eos_token_id=49407,
    )  # fmt: skip
    vision = dict(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=1, num_attention_heads=12,
        image_size=64, patch_size=32, projection_dim=512,
    )  # fmt: skip
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=512)
    model = transformers.CLIPModel(config).eval()

    def encode(ids):
        pooled = model.text_model(input_ids=ids).pooler_output
        return model.text_projection(pooled)

    return model, encode


@pytest.mark.parametrize('library', ['open_clip', 'transformers'])
def test_text_tower_goes_along_and_gives_the_same_features(tool, tmp_path, library, capsys):
    model, encode = text_pair(library)
    for name, parameter in model.named_parameters():
        if name.endswith('bias'):
            nn.init.normal_(parameter, std=0.1)
    torch.save(model.state_dict(), tmp_path / 'clip.pt')
    target = tmp_path / 'new.pth'
    tool.main([str(tmp_path / 'clip.pt'), str(target), '--image-size', '64', '64', '--with-text'])
    assert 'text_encoder: width=64, num_layers=2, num_heads=1' in capsys.readouterr().out
    state = read_checkpoint(target)['state_dict']
    config = dict(type='PromptedTextEncoder', embed_dim=512, width=64, num_layers=2, num_heads=1)
    ours = MODELS.build(config)
    fill_module(ours, select_part(state, 'text_encoder'), 'the text tower')
    table = state['text_encoder.token_embedding.weight']
    ids = torch.tensor([ours.token_ids])
    with torch.no_grad():
        found = ours(table[ids][:, ours.places.start : ours.places.stop])
        torch.testing.assert_close(found, encode(ids), atol=1e-5, rtol=1e-5)
    assert any(key.startswith('image_encoder.layers.') for key in state)


def test_text_tower_is_missed_by_name(tool, tmp_path):
    model, _ = text_pair('open_clip')
    arguments = [str(tmp_path / 'a.pt'), str(tmp_path / 'b.pth'), '--image-size', '64', '64']
    whole = model.state_dict()
    for left_out, message in (
        ({'ln_final.bias'}, 'the key ln_final.bias is missing'),
        ({key for key in whole if not key.startswith('visual.')}, 'there is no text tower'),
    ):
        torch.save({k: v for k, v in whole.items() if k not in left_out}, tmp_path / 'a.pt')
        with pytest.raises(SystemExit, match=message):
            tool.main([*arguments, '--with-text'])
    assert not (tmp_path / 'b.pth').exists()
