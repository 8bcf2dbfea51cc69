"""Both stages of CLIP-ReID on tiny models."""

import pytest
import torch

from csipreid.models.losses import CrossModalSupConLoss
from csipreid.registry import MODELS

TEXT = dict(type='PromptedTextEncoder', width=8, num_layers=1, num_heads=2)


def stage1(tiny, **loss):
    return MODELS.build(
        dict(
            type='PromptLearner',
            num_ids=5,
            image_encoder=tiny.image_encoder,
            text_encoder=TEXT,
            loss=dict(type='CrossModalSupConLoss') | loss,
        )
    )


def stage2(tiny, filled=True, **changes):
    config = dict(
        type='TextGuidedReID',
        num_ids=5,
        num_cams=3,
        image_encoder=tiny.image_encoder,
        identity_head=dict(type='BNNeckHead'),
        identity_loss=dict(type='IdentityLoss'),
        triplet_loss=dict(type='BatchHardTripletLoss'),
        prototype_loss=dict(type='PrototypeContrastiveLoss'),
        camera_embedding=dict(type='CameraEmbedding'),
    )
    model = MODELS.build(config | changes)
    if filled:
        model.prototype_bank.fill(torch.randn(5, 8))
    return model


def test_only_the_words_train_and_each_row_is_its_label(tiny):
    model = stage1(tiny).train()
    inputs, samples = tiny.batch()
    model(inputs, samples, mode='loss')['loss_contrastive'].backward()
    assert [n for n, p in model.named_parameters() if p.requires_grad] == ['prompts']
    moved = model.prompts.grad.abs().sum(dim=(1, 2)) > 0
    assert moved.tolist() == [True, False, False, True, False]  # labels 0 and 3


def test_loss_compares_texts_with_mean_frames(tiny):
    model = stage1(tiny, normalize=False, temperature=1.0).train()
    inputs, samples = tiny.batch()
    images = model.image_encoder(inputs['frames'].flatten(0, 1)).projected[:, 0]
    texts = model.text_encoder(model.prompts[[0, 0, 3, 3]])
    expected = CrossModalSupConLoss(temperature=1.0, normalize=False)(
        texts, images.unflatten(0, (4, 3)).mean(dim=1), torch.tensor([0, 0, 3, 3])
    )
    found = model(inputs, samples, mode='loss')['loss_contrastive']
    torch.testing.assert_close(found, expected)


def test_stored_features_stand_for_frames(tiny):
    model = stage1(tiny).train()
    inputs, samples = tiny.batch()
    features = model.image_encoder.global_embedding(inputs['frames'].flatten(0, 1))
    stored = dict(frame_features=features.unflatten(0, (4, 3)))
    whole, short = (model(part, samples, mode='loss') for part in (inputs, stored))
    torch.testing.assert_close(whole['loss_contrastive'], short['loss_contrastive'])


def test_prototypes_are_the_texts_of_the_words_in_order(tiny):
    model = stage1(tiny)
    model.update_prototypes(max_texts=2)
    texts = model.text_encoder(model.prompts)
    torch.testing.assert_close(model.prototype_bank.text_prototypes, texts)
    assert model.prototype_bank.is_filled


def test_features_are_means_over_frames_of_three_tokens(tiny):
    model = stage2(tiny).eval()
    inputs, samples = tiny.batch()
    outputs = model.training_outputs(inputs, samples)
    single = [
        model.training_outputs(dict(frames=inputs['frames'][:, t : t + 1]), samples).features
        for t in range(3)
    ]
    for part, width in enumerate((16, 16, 8)):
        mean = torch.stack([features[part] for features in single]).mean(dim=0)
        torch.testing.assert_close(outputs.features[part], mean)
        assert mean.shape == (4, width)
    assert not torch.allclose(outputs.features[0], outputs.features[1])
    embedding = model(inputs, samples, mode='tensor')
    torch.testing.assert_close(embedding, torch.cat(outputs.features[1:], dim=1))


def test_texts_of_the_right_label_cost_least(tiny):
    model = stage2(tiny).eval()
    inputs, samples = tiny.batch()
    projected = model.training_outputs(inputs, samples).features[-1].detach()
    right = torch.zeros(5, 8)
    right[0], right[3] = projected[:2].mean(dim=0), projected[2:].mean(dim=0)
    losses = []
    for table in (right, right.flip(0)):
        model.prototype_bank.fill(table)
        losses.append(model(inputs, samples, mode='loss')['loss_prototype'])
    assert losses[0] < losses[1]


def test_stage_2_without_texts_says_where_they_come_from(tiny):
    inputs, samples = tiny.batch()
    with pytest.raises(ValueError, match='train stage 1 of CLIP-ReID'):
        stage2(tiny, filled=False)(inputs, samples, mode='loss')


def test_encoder_without_an_early_token_has_two_triplets(tiny):
    encoder = dict(
        type='MMPretrainImageEncoder',
        backbone=dict(type='ResNet', depth=18, base_channels=4, stem_channels=4),
        image_size=(32, 32),
        embed_dim=8,
    )
    inputs, samples = tiny.batch()
    inputs['frames'] = torch.randn(4, 3, 3, 32, 32)
    for stages, count in (((3,), 2), ((2, 3), 3)):
        encoder['backbone']['out_indices'] = stages
        outputs = stage2(tiny, image_encoder=encoder).training_outputs(inputs, samples)
        assert len(outputs.features) == count
