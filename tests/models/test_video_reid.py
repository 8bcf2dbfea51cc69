from contextlib import nullcontext

import pytest
import torch
from mmengine.logging import MMLogger

from csipreid.structures import ReIDDataSample

WITHOUT_UPDATER = dict(prototype_updater=None, prototype_loss=None)


def untouched(model):
    """Names of trained parameters without a gradient, or with one that is not finite."""
    return [
        name
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        and (parameter.grad is None or not parameter.grad.isfinite().all())
    ]


def test_losses_by_part(tiny):
    inputs, samples = tiny.batch()
    losses = tiny.stage2().train()(inputs, samples, mode='loss')
    assert set(losses) == {'loss_id', 'loss_triplet', 'loss_frame', 'loss_prototype'}
    assert all(loss.shape == () and loss.isfinite() for loss in losses.values())


def test_image_only_baseline_needs_no_skeletons(tiny):
    inputs, samples = tiny.batch()
    model = tiny.stage2(skeletons=False, temporal=dict(type='MeanPooling')).train()
    losses = model(dict(frames=inputs['frames']), samples, mode='loss')
    assert set(losses) == {'loss_id', 'loss_triplet', 'loss_frame'}


@pytest.mark.parametrize('valid', ['all', 'some', 'none'])
@pytest.mark.parametrize(
    'config',
    [
        dict(),
        dict(freeze_skeletons=False),
        dict(freeze_skeletons=False, skeleton_dropout=0.0, **WITHOUT_UPDATER),
        dict(skeleton_dropout=1.0),
        dict(skeletons=False),
        dict(skeletons=False, temporal=dict(type='MeanPooling'), frame_loss=None),
        dict(camera_embedding=None),
    ],
)
def test_every_trained_parameter_has_a_gradient(tiny, config, valid):
    mask = dict(
        all=torch.ones(4, 3, dtype=torch.bool),
        some=torch.tensor([[True, False, True], [False] * 3, [True] * 3, [False] * 3]),
        none=torch.zeros(4, 3, dtype=torch.bool),
    )[valid]
    inputs, samples = tiny.batch(valid=mask)
    model = tiny.stage2(**config).train()
    sum(model(inputs, samples, mode='loss').values()).backward()
    assert untouched(model) == []


@pytest.mark.parametrize('clip_len', [1, 2, 9])
def test_any_clip_length(tiny, clip_len):
    inputs, samples = tiny.batch(clip_len=clip_len)
    model = tiny.stage2().train()
    assert all(loss.isfinite() for loss in model(inputs, samples, mode='loss').values())
    assert model.eval()(inputs, samples).shape == (4, 16 + 8 + 16)


def test_feature_is_global_token_projection_and_temporal_feature(tiny):
    model = tiny.stage2(camera_embedding=None).eval()
    inputs, samples = tiny.batch()
    image = model.image_encoder(inputs['frames'].flatten(0, 1))
    tokens = image.tokens.unflatten(0, (4, 3))
    expected = torch.cat(
        [
            tokens[:, :, 0].mean(dim=1),
            image.projected[:, 0].unflatten(0, (4, 3)).mean(dim=1),
            model.temporal(tokens).mean(dim=1),
        ],
        dim=1,
    )
    torch.testing.assert_close(model(inputs, samples), expected)


def test_skeletons_are_not_used_in_testing(tiny):
    model = tiny.stage2().eval()
    inputs, samples = tiny.batch()
    with_skeletons = model(inputs, samples)
    assert torch.equal(model(dict(frames=inputs['frames']), samples), with_skeletons)


def test_permuting_the_batch_permutes_the_embeddings(tiny):
    model = tiny.stage2().eval()
    inputs, samples = tiny.batch()
    order = [2, 0, 3, 1]
    permuted = model(dict(frames=inputs['frames'][order]), [samples[i] for i in order])
    torch.testing.assert_close(permuted, model(inputs, samples)[order])


def test_evaluation_is_deterministic(tiny):
    model = tiny.stage2().eval()
    inputs, samples = tiny.batch()
    assert torch.equal(model(inputs, samples), model(inputs, samples))


@pytest.mark.parametrize('max_clips', [1, 2, 3, 5])
def test_chunks_do_not_change_the_embeddings(tiny, max_clips):
    preprocessor = dict(type='ReIDDataPreprocessor', mean=[120] * 3, std=[60] * 3)
    model = tiny.stage2(data_preprocessor=preprocessor, max_clips=max_clips).eval()
    frames = [torch.randint(256, (n, 3, 3, 16, 8), dtype=torch.uint8) for n in (3, 1, 2)]
    samples = [ReIDDataSample(camid=camid, num_clips=len(f)) for camid, f in enumerate(frames)]
    batch = dict(inputs=dict(frames=frames), data_samples=samples)
    whole = model(**model.data_preprocessor(batch), mode='predict')
    expected = torch.stack([sample.embedding for sample in whole])
    found = torch.stack([sample.embedding for sample in model.test_step(batch)])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_flip_averages_a_clip_and_its_mirror_image(tiny):
    model = tiny.stage2().eval()
    inputs, samples = tiny.batch()
    mirrored = dict(frames=inputs['frames'].flip(dims=[4]))
    expected = (model(inputs, samples) + model(mirrored, samples)) / 2
    model.flip_test = True
    torch.testing.assert_close(model(inputs, samples), expected)
    torch.testing.assert_close(model(mirrored, samples), expected)


def test_rejects_empty_chunks(tiny):
    with pytest.raises(ValueError, match='max_clips must be positive, got 0'):
        tiny.stage2(max_clips=0)


def test_embedding_of_a_tracklet_is_the_mean_over_its_clips(tiny):
    model = tiny.stage2().eval()
    inputs, samples = tiny.batch(camids=(1, 1, 1, 0))
    clips = model(inputs, samples)
    samples[0].num_clips = 3
    results = model(inputs, [samples[0], samples[3]], mode='predict')
    torch.testing.assert_close(results[0].embedding, clips[:3].mean(dim=0))
    torch.testing.assert_close(results[1].embedding, clips[3])


def test_camera_changes_the_embedding(tiny):
    model = tiny.stage2().eval()
    inputs, samples = tiny.batch(camids=(0, 0, 0, 0))
    _, others = tiny.batch(camids=(0, 1, 0, 0))
    changed = (model(inputs, samples) - model(inputs, others)).abs().amax(dim=1) > 1e-6
    assert changed.tolist() == [False, True, False, False]


def test_camera_of_testing_that_training_lacked_is_unknown_and_said_once(tiny, monkeypatch):
    messages = []
    monkeypatch.setattr(MMLogger.get_current_instance(), 'warning', messages.append)
    model = tiny.stage2().eval()
    inputs, samples = tiny.batch(camids=(0, 7, 9, 0))
    _, unknown = tiny.batch(camids=(0, -1, -1, 0))
    assert torch.equal(model(inputs, samples), model(inputs, unknown))
    model(inputs, samples)
    assert len(messages) == 1
    assert 'camera 8' in messages[0]  # as files number them


def test_camera_out_of_range_is_an_error_in_training(tiny):
    inputs, samples = tiny.batch(camids=(0, 1, 3, 0))
    with pytest.raises(ValueError, match=r'got \[3\]'):
        tiny.stage2().train()(inputs, samples, mode='loss')


def test_label_out_of_range_is_named(tiny):
    inputs, samples = tiny.batch(labels=(0, 0, 5, 5))
    with pytest.raises(ValueError, match='below num_ids = 5, got 5'):
        tiny.stage2().train()(inputs, samples, mode='loss')


def test_training_refuses_empty_prototypes(tiny):
    inputs, samples = tiny.batch()
    with pytest.raises(ValueError, match='prototypes are not filled'):
        tiny.stage2(filled=False).train()(inputs, samples, mode='loss')


def test_training_refuses_missing_skeletons(tiny):
    inputs, samples = tiny.batch()
    with pytest.raises(ValueError, match='LoadSkeletons'):
        tiny.stage2().train()(dict(frames=inputs['frames']), samples, mode='loss')


def test_frozen_skeleton_parts_stay_in_evaluation_mode(tiny):
    model = tiny.stage2().train()
    parts = [*model.skeleton_encoder.modules(), *model.skeleton_head.modules()]
    assert not any(part.training for part in parts)
    assert not any(p.requires_grad for part in parts for p in part.parameters())


def test_skeleton_parts_train_when_not_frozen(tiny):
    model = tiny.stage2(freeze_skeletons=False).train()
    assert model.skeleton_encoder.training
    assert all(p.requires_grad for p in model.skeleton_encoder.parameters())


def test_frame_without_skeleton_does_not_matter(tiny):
    valid = torch.tensor([[True, False, True]] * 3 + [[False] * 3])
    inputs, samples = tiny.batch(valid=valid)
    model = tiny.stage2(skeleton_dropout=0.0).eval()
    losses = model(inputs, samples, mode='loss')
    inputs['skeletons'][~valid] = 1e3
    changed = model(inputs, samples, mode='loss')
    assert all(torch.equal(losses[name], changed[name]) for name in losses)


def test_skeletons_matter_to_the_temporal_feature_in_training(tiny):
    inputs, samples = tiny.batch()
    model = tiny.stage2(skeleton_dropout=0.0).eval()
    guided = model.training_outputs(inputs, samples).features[2]
    alone = model.extract_feat(inputs, samples)[:, -16:]
    assert not torch.allclose(guided, alone)


def test_hidden_skeletons_train_the_way_of_testing(tiny):
    inputs, samples = tiny.batch()
    temporal = dict(type='SkeletonGuidedTemporalModeling', num_heads=2, dropout=0.0)
    model = tiny.stage2(skeleton_dropout=1.0, temporal=temporal).train()
    features = model.training_outputs(inputs, samples).features
    torch.testing.assert_close(torch.cat(features, dim=1), model.extract_feat(inputs, samples))


def test_skeletons_are_hidden_clip_by_clip(tiny):
    model = tiny.stage2(skeleton_dropout=0.5).train()
    kept = model._hide_skeletons(torch.ones(1000, 3, dtype=torch.bool))
    assert torch.equal(kept.any(dim=1), kept.all(dim=1))
    assert 0.4 < kept.float().mean() < 0.6
    assert model.eval()._hide_skeletons(torch.ones(4, 3, dtype=torch.bool)).all()


def test_frame_loss_is_divided_by_the_clip_length(tiny):
    inputs, samples = tiny.batch(clip_len=3)
    model = tiny.stage2().eval()
    scores = model.training_outputs(inputs, samples).frame_scores
    labels = torch.tensor([sample.label for sample in samples])
    per_frame = [model.frame_loss(scores[:, t], labels) for t in range(3)]
    loss = model(inputs, samples, mode='loss')['loss_frame']
    torch.testing.assert_close(loss, sum(per_frame) / 3 / 3)


def test_pair_equals_that_of_stage1(tiny):
    stage1, stage2 = tiny.stage1().eval(), tiny.stage2().eval()
    stage2.load_state_dict(stage1.state_dict(), strict=False)
    inputs, _ = tiny.batch()
    pair, expected = stage2.extract_pair(inputs), stage1.extract_pair(inputs)
    torch.testing.assert_close(pair.image, expected.image)
    torch.testing.assert_close(pair.skeleton, expected.skeleton)


def test_training_waits_for_no_device(tiny, monkeypatch):
    monkeypatch.setattr(torch, 'autocast', lambda *args, **kwargs: nullcontext())
    # Tensors without data cannot be read back: whatever waits for the device fails.
    inputs, samples = tiny.batch()
    model = tiny.stage2(freeze_skeletons=False).train().to('meta')
    inputs = {key: value.to('meta') for key, value in inputs.items()}
    losses = model(inputs, samples, mode='loss')
    assert all(loss.device.type == 'meta' for loss in losses.values())


def test_losses_are_finite_in_low_precision(tiny):
    inputs, samples = tiny.batch()
    model = tiny.stage2(freeze_skeletons=False).train()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model(inputs, samples, mode='loss')
    sum(losses.values()).backward()
    assert untouched(model) == []


def test_mmpretrain_backbone_in_place_of_clip(tiny):
    encoder = dict(
        type='MMPretrainImageEncoder',
        backbone=dict(type='ResNet', depth=18, base_channels=4, stem_channels=4),
        image_size=(32, 32),
        embed_dim=8,
    )
    inputs, samples = tiny.batch()
    inputs['frames'] = torch.randn(4, 3, 3, 32, 32)
    model = tiny.stage2(image_encoder=encoder).train()
    sum(model(inputs, samples, mode='loss').values()).backward()
    assert untouched(model) == []


def test_pair_without_a_skeleton_encoder_has_no_skeletons(tiny):
    inputs, _ = tiny.batch()
    model = tiny.stage2(skeletons=False)
    pair = model.extract_pair(inputs)
    assert not pair.valid.any()
    projected = model.encode_frames(inputs['frames'], None).projected
    assert pair.image.shape == projected.mean(dim=1)[:, 0].shape


def test_skeleton_parts_need_the_encoder(tiny):
    with pytest.raises(ValueError, match='skeleton_head needs a skeleton_encoder'):
        tiny.stage2(skeletons=False, skeleton_head=dict(type='SkeletonProjectionHead'))
    updater = dict(type='PrototypeFusionUpdater', num_heads=2)
    loss = dict(type='PrototypeContrastiveLoss')
    with pytest.raises(ValueError, match='prototypes of skeletons, so it needs a skeleton_encoder'):
        tiny.stage2(skeletons=False, prototype_updater=updater, prototype_loss=loss)


def test_updater_needs_its_loss(tiny):
    with pytest.raises(ValueError, match='got only prototype_updater'):
        tiny.stage2(prototype_loss=None)


def test_rejects_impossible_skeleton_dropout(tiny):
    with pytest.raises(ValueError, match=r'in \[0, 1\], got 1.5'):
        tiny.stage2(skeleton_dropout=1.5)


def test_what_is_training_only_changes_no_test(tiny):
    inputs, samples = tiny.batch()
    model = tiny.stage2().eval()
    with torch.no_grad():
        before = model(inputs, samples)
        needed = []
        for name, tensor in model.state_dict().items():
            if name.startswith(model.training_only):
                tensor.zero_()
            else:
                needed.append(name)
        assert torch.equal(model(inputs, samples), before)
    assert {name.split('.')[0] for name in needed} == {
        'image_encoder',
        'camera_embedding',
        'temporal',
    }
    assert not any('skeleton' in name or 'cross' in name for name in needed)


def test_model_without_skeletons_has_training_only_heads(tiny):
    model = tiny.stage2(skeletons=False, temporal=dict(type='MeanPooling'))
    assert {name for name in model.state_dict() if name.startswith(model.training_only)} == {
        name for name in model.state_dict() if '_head.' in name
    }


def test_joints_are_a_further_target_of_the_tower(tiny):
    inputs, samples = tiny.batch()
    model = tiny.stage2(skeletons=False, **tiny.joints).train()
    losses = model(inputs, samples, mode='loss')
    assert set(losses) == {'loss_id', 'loss_triplet', 'loss_frame', 'loss_joint'}
    losses['loss_joint'].backward(retain_graph=True)
    assert model.image_encoder.patch_embed.projection.weight.grad.abs().sum() > 0
    sum(losses.values()).backward()
    assert untouched(model) == []


def test_joints_belong_to_the_frames_they_are_seen_in(tiny):
    inputs, samples = tiny.batch()
    model = tiny.stage2(skeletons=False, **tiny.joints).eval()
    order, frames = torch.tensor([2, 0, 1]), inputs['frames']
    joints = model.training_outputs(inputs, samples).joints
    assert joints.shape == (4, 3, 17, 3)
    moved = model.training_outputs(inputs | dict(frames=frames[:, order]), samples).joints
    torch.testing.assert_close(moved, joints[:, order])


def test_testing_does_without_the_joint_head(tiny):
    model = tiny.stage2(skeletons=False, **tiny.joints).eval()
    inputs, _ = tiny.batch()
    embedding = model(dict(frames=inputs['frames']))
    for parameter in model.joint_head.parameters():
        parameter.data.fill_(torch.nan)
    torch.testing.assert_close(model(dict(frames=inputs['frames'])), embedding)
    assert 'joint_head.' in model.training_only


def test_joints_without_skeletons_say_what_is_missing(tiny):
    inputs, samples = tiny.batch()
    model = tiny.stage2(skeletons=False, **tiny.joints).train()
    with pytest.raises(ValueError, match='add the LoadSkeletons transform'):
        model(dict(frames=inputs['frames']), samples, mode='loss')


@pytest.mark.parametrize('only', ['joint_head', 'joint_loss'])
def test_joint_head_and_loss_go_together(tiny, only):
    with pytest.raises(ValueError, match=f'joint_head and joint_loss go together, got only {only}'):
        tiny.stage2(skeletons=False, **{only: tiny.joints[only]})
