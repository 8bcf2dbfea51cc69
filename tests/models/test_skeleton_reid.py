import pytest
import torch

from csipreid.registry import MODELS
from csipreid.structures import ReIDDataSample

SGT = dict(
    type='SkeletonGraphTransformer', layout='kinect20', embed_dim=8, depth=1, num_heads=2,
    feedforward_channels=16, dropout=0.0,
)  # fmt: skip
IDENTITY = dict(identity_head=dict(type='BNNeckHead'), identity_loss=dict(type='IdentityLoss'))
TRANSG = dict(
    skeleton_encoder=dict(type='TranSGEncoder', layout='kinect20', embed_dim=8),
    prototype_loss=dict(type='GraphPrototypeLoss'),
    prompt_head=dict(type='SkeletonPromptHead', clip_len=6),
)


def build(**kwargs):
    torch.manual_seed(0)
    parts = dict(
        type='SkeletonReID', num_ids=3, skeleton_encoder=SGT,
        data_preprocessor=dict(type='SkeletonDataPreprocessor'),
    )  # fmt: skip
    return MODELS.build(dict(parts, **kwargs))


def batch(size=4, lacking=()):
    samples = [ReIDDataSample(pid=i // 2, camid=-1, label=i // 2) for i in range(size)]
    for i, sample in enumerate(samples):
        sample.skeleton_valid = torch.full((6,), i not in lacking)
    return dict(inputs=dict(skeletons=torch.randn(size, 6, 20, 3)), data_samples=samples)


def losses(model, data):
    return model(**model.data_preprocessor(data, True), mode='loss')


def test_every_configured_loss_is_there_and_reaches_the_encoder():
    model = build(**IDENTITY, contrastive_loss=dict(type='SupConLoss'))
    found = losses(model, batch())
    assert set(found) == {'loss_identity', 'loss_contrastive'}
    for value in found.values():
        model.zero_grad()
        value.backward(retain_graph=True)
        assert model.skeleton_encoder.joint_embed[0].weight.grad.abs().sum() > 0


def test_transg_trains_every_parameter_once_prototypes_are_there():
    model = build(**TRANSG)
    with pytest.raises(ValueError, match='add PrototypeHook'):
        losses(model, batch())
    pair = model.extract_pair(model.data_preprocessor(batch(6))['inputs'])
    assert torch.equal(pair.image, pair.skeleton)
    model.prototype_bank.fill(pair.image[::2], pair.skeleton[::2])
    found = losses(model, batch())
    assert set(found) == {'loss_prototype', 'loss_prompt'}
    sum(found.values()).backward()
    assert [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


def test_clip_without_skeleton_does_not_count():
    torch.manual_seed(0)
    model = build(**IDENTITY).eval()
    data = batch(4)
    few = dict(
        inputs=dict(skeletons=data['inputs']['skeletons'][:3]),
        data_samples=data['data_samples'][:3],
    )
    expected = losses(model, few)['loss_identity']
    data['data_samples'][3].skeleton_valid[:] = False
    torch.testing.assert_close(losses(model, data)['loss_identity'], expected)
    assert not losses(model, batch(2, lacking=(0, 1)))['loss_none'].item()


def test_predict_is_the_mean_over_clips_and_keeps_the_order():
    model = build(**IDENTITY).eval()
    data = batch(3)
    data['inputs']['skeletons'] = [
        torch.randn(2, 6, 20, 3), torch.randn(6, 20, 3), torch.randn(1, 6, 20, 3)
    ]  # fmt: skip
    shapes = ((2, 6), (6,), (1, 6))
    for sample, shape in zip(data['data_samples'], shapes, strict=True):
        sample.skeleton_valid = torch.ones(shape, dtype=torch.bool)
        sample.num_clips = shape[0] if len(shape) == 2 else 1
    with torch.no_grad():
        found = [s.embedding for s in model.test_step(data)]
        alone = [
            model(dict(skeletons=c if c.ndim == 4 else c[None])).mean(dim=0)
            for c in data['inputs']['skeletons']
        ]
    torch.testing.assert_close(torch.stack(found), torch.stack(alone), atol=1e-5, rtol=1e-4)


def test_frozen_encoder_does_not_train():
    model = build(**IDENTITY, freeze_encoder=True, skeleton_encoder=dict(SGT, dropout=0.5)).train()
    assert not model.skeleton_encoder.training
    assert not any(p.requires_grad for p in model.skeleton_encoder.parameters())


def test_what_does_not_fit_is_one_sentence():
    with pytest.raises(ValueError, match='needs identity_loss'):
        build()
    with pytest.raises(ValueError, match='go together'):
        build(identity_head=dict(type='BNNeckHead'))
    with pytest.raises(ValueError, match='holds no skeletons'):
        losses(build(**IDENTITY), dict(inputs={}, data_samples=[]))


def test_bone_lengths_are_those_of_the_body():
    model = MODELS.build(dict(type='BoneLengthReID', layout='kinect20'))
    skeletons = torch.zeros(1, 2, 20, 3)
    skeletons[0, :, 3, 1] = torch.tensor([-0.2, -0.4])  # the head, at the end of the third bone
    lengths = model(dict(skeletons=skeletons, skeleton_valid=torch.ones(1, 2).bool()))
    assert lengths[0].nonzero().flatten().tolist() == [2]
    assert lengths[0, 2].item() == pytest.approx(0.3)
    with pytest.raises(ValueError, match='nothing to train'):
        model.loss({}, [])
