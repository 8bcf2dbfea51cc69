"""CSIP stage 2 on MARS, with the behaviour of the published code.

Source: the code of arXiv:2511.13150, commit ac5a2ef. Each line below is one
difference from stage2_mars.py; the README of this folder says what it does. The
published code trains in half precision: add --amp on a GPU.
"""

_base_ = './stage2_mars.py'

model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],  # of ImageNet, in 0 … 255
        std=[58.395, 57.12, 57.375],
    ),
    skeleton_encoder=dict(encoding='published', random_signs=True),
    temporal=dict(type_embed_std=1.0, scrambled_skeletons=True),
    prototype_loss=dict(normalize=False, temperature=1.0),
    freeze_skeletons=False,
    skeleton_dropout=0.0,
)

train_pipeline = _base_.train_pipeline
train_pipeline[2].update(missing='zeros')  # LoadSkeletons
train_pipeline[5].update(mirror_skeletons=False)  # FlipClip
train_pipeline[6].update(place_by_size=True)  # EraseFrames
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
# Random frames in random batches, and the encoders in training mode.
prototype_pipeline = _base_.prototype_pipeline
prototype_pipeline[0].update(mode='restricted_random')  # SampleClip
prototype_pipeline[2].update(missing='zeros')  # LoadSkeletons
prototype_dataloader = dict(
    batch_size=64,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=True, round_up=False),
    dataset=dict(
        type='MARS', data_root=_base_.data_root, subset='train', pipeline=prototype_pipeline
    ),
)
val_evaluator = dict(protocol='csip')
test_evaluator = val_evaluator
train_cfg = dict(val_interval=2)

default_hooks = dict(
    # The published code keeps the last epoch, whatever it scores.
    checkpoint=dict(_delete_=True, type='SafeCheckpointHook', interval=1, max_keep_ckpts=2),
    pretrained=dict(checkpoint='work_dirs/stage1_mars_published/epoch_120.pth'),
    prototypes=dict(dataloader=prototype_dataloader, train_mode=True),
)
