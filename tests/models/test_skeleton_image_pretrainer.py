import pytest
import torch


def test_embeddings_have_one_row_per_clip(tiny):
    inputs, _ = tiny.batch()
    pair = tiny.stage1().extract_pair(inputs)
    assert pair.image.shape == pair.skeleton.shape == (4, 8)
    assert pair.valid.tolist() == [True] * 4


@pytest.mark.parametrize('clip_len', [1, 5])
def test_any_clip_length(tiny, clip_len):
    inputs, samples = tiny.batch(clip_len=clip_len)
    assert tiny.stage1()(inputs, samples, mode='loss')['loss_contrastive'].isfinite()


def test_permuting_the_batch_permutes_the_embeddings(tiny):
    model = tiny.stage1().eval()
    inputs, _ = tiny.batch()
    order = torch.tensor([2, 0, 3, 1])
    pair = model.extract_pair(inputs)
    permuted = model.extract_pair({key: value[order] for key, value in inputs.items()})
    torch.testing.assert_close(permuted.image, pair.image[order])
    torch.testing.assert_close(permuted.skeleton, pair.skeleton[order])


def test_image_encoder_stays_frozen_in_training(tiny):
    model = tiny.stage1().train()
    assert not any(parameter.requires_grad for parameter in model.image_encoder.parameters())
    assert not any(module.training for module in model.image_encoder.modules())
    assert model.skeleton_encoder.training


@pytest.mark.parametrize('share', [1, 0])
def test_gradient_reaches_every_trained_parameter(tiny, share):
    valid = torch.full((4, 3), bool(share))
    inputs, samples = tiny.batch(valid=valid)
    model = tiny.stage1().train()
    model(inputs, samples, mode='loss')['loss_contrastive'].backward()
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert trained
    assert [name for name, parameter in trained.items() if parameter.grad is None] == []
    assert all(parameter.grad.isfinite().all() for parameter in trained.values())


def test_clip_without_skeleton_does_not_matter(tiny):
    valid = torch.tensor([[True] * 3, [True, False, True], [False] * 3, [True] * 3])
    inputs, samples = tiny.batch(valid=valid)
    model = tiny.stage1().eval()
    loss = model(inputs, samples, mode='loss')['loss_contrastive']
    rest = {key: value[[0, 1, 3]] for key, value in inputs.items()}
    expected = model(rest, [samples[0], samples[1], samples[3]], mode='loss')
    torch.testing.assert_close(loss, expected['loss_contrastive'])


def test_frame_without_skeleton_does_not_matter(tiny):
    valid = torch.tensor([[True, False, True]] * 4)
    inputs, samples = tiny.batch(valid=valid)
    model = tiny.stage1().eval()
    loss = model(inputs, samples, mode='loss')['loss_contrastive']
    inputs['skeletons'][:, 1] = 1e3
    changed = model(inputs, samples, mode='loss')['loss_contrastive']
    assert torch.equal(loss, changed)


def test_evaluation_is_deterministic(tiny):
    model = tiny.stage1().eval()
    inputs, _ = tiny.batch()
    assert torch.equal(model.extract_pair(inputs).skeleton, model.extract_pair(inputs).skeleton)


def test_prediction_holds_both_modalities(tiny):
    model = tiny.stage1().eval()
    valid = torch.tensor([[True] * 3, [False] * 3, [True] * 3, [True] * 3])
    inputs, samples = tiny.batch(valid=valid)
    pair = model.extract_pair(inputs)
    results = model(inputs, samples, mode='predict')
    assert [sample.has_skeleton for sample in results] == [True, False, True, True]
    torch.testing.assert_close(results[2].image_embedding, pair.image[2])
    torch.testing.assert_close(results[2].embedding, pair.image[2])
    torch.testing.assert_close(results[2].skeleton_embedding, pair.skeleton[2])
    assert results[1].skeleton_embedding.eq(0).all()


def test_skeleton_of_a_tracklet_is_the_mean_over_its_clips_that_have_one(tiny):
    model = tiny.stage1().eval()
    valid = torch.tensor([[True] * 3, [False] * 3, [True] * 3, [True] * 3])
    inputs, samples = tiny.batch(valid=valid)
    pair = model.extract_pair(inputs)
    samples[0].num_clips = 3
    results = model(inputs, [samples[0], samples[3]], mode='predict')
    expected = (pair.skeleton[0] + pair.skeleton[2]) / 2
    torch.testing.assert_close(results[0].skeleton_embedding, expected)
    torch.testing.assert_close(results[0].image_embedding, pair.image[:3].mean(dim=0))


def test_prediction_works_on_frames_alone(tiny):
    inputs, samples = tiny.batch()
    results = tiny.stage1().eval()(dict(frames=inputs['frames']), samples, mode='predict')
    assert 'skeleton_embedding' not in results[0]
    assert results[0].embedding.shape == (8,)


def test_test_labels_are_refused_in_training(tiny):
    inputs, samples = tiny.batch(labels=(0, 0, -1, 3))
    with pytest.raises(ValueError, match='at least 0 in training, got -1'):
        tiny.stage1()(inputs, samples, mode='loss')


def test_stage2_takes_over_all_weights_of_stage1(tiny):
    stage1 = tiny.stage1()
    stage2 = tiny.stage2()
    missing, unexpected = stage2.load_state_dict(stage1.state_dict(), strict=False)
    assert unexpected == []
    assert not any(key.startswith(('image_encoder', 'skeleton_')) for key in missing)


def test_skeleton_loss_compares_skeletons_of_the_same_person_only(tiny):
    model = tiny.stage1(skeleton_loss=dict(type='SupConLoss')).train()
    inputs, samples = tiny.batch()
    losses = model(inputs, samples, mode='loss')
    pair = model.eval().extract_pair(inputs)
    labels = torch.tensor([0, 0, 3, 3])
    eval_losses = model(inputs, samples, mode='loss')
    assert set(losses) == {'loss_contrastive', 'loss_skeleton'}
    torch.testing.assert_close(
        eval_losses['loss_skeleton'], model.skeleton_loss(pair.skeleton, labels)
    )


def test_reported_cosine_is_the_mean_over_pairs_of_clips(tiny):
    inputs, samples = tiny.batch(valid=torch.tensor([[True] * 3] * 3 + [[False] * 3]))
    model = tiny.stage1().eval()
    unit = torch.nn.functional.normalize(model.extract_pair(inputs).skeleton[:3], dim=1)
    cosines = [float(unit[i] @ unit[j]) for i in range(3) for j in range(i)]
    assert model.skeleton_cosine is None
    model(inputs, samples, mode='loss')
    reported = model.skeleton_cosine
    assert reported.item() == pytest.approx(sum(cosines) / 3, abs=1e-5)
    assert not reported.requires_grad
