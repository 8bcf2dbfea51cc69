"""CLIP-ReID stage 2 on MARS: fine-tune the image tower towards the texts of stage 1.

Source: Li et al., AAAI 2023, which knows images; here a clip is the mean of its frames, with
the batches and augmentation of TF-CLIP. Batch: 4 identities x 4 tracklets of 8 frames on one
GPU; memory and time not measured yet.
"""

_base_ = '../_base_/default_runtime.py'

data_root = 'data/mars'
clip_len = 8  # frames per clip
image_size = (256, 128)  # height, width
embed_dim = 512  # space shared by images and texts
num_instances = 4  # tracklets per identity in a batch
batch_size = 4 * num_instances  # tracklets
test_batch_size = 32  # tracklets
max_epochs = 60

model = dict(
    type='TextGuidedReID',
    data_preprocessor=dict(
        type='ReIDDataPreprocessor',
        mean=[122.771, 116.746, 104.094],  # of CLIP's training images, in 0 … 255
        std=[68.501, 66.632, 70.323],
    ),
    image_encoder=dict(
        type='CLIPVisionTransformer', arch='b16', image_size=image_size, embed_dim=embed_dim
    ),
    camera_embedding=dict(type='CameraEmbedding'),
    identity_head=dict(type='BNNeckHead'),
    identity_loss=dict(type='IdentityLoss', label_smoothing=0.1, loss_weight=0.25),
    triplet_loss=dict(type='BatchHardTripletLoss', margin=0.3, loss_weight=1.0),
    prototype_loss=dict(
        type='PrototypeContrastiveLoss', temperature=0.07, label_smoothing=0.1, loss_weight=1.0
    ),
)

train_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, mode='restricted_random'),
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=image_size),
    dict(type='FlipClip', prob=0.5),
    dict(type='EraseFrames', prob=0.5),
    dict(type='PackReIDInputs'),
]
test_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, mode='first'),
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=image_size),
    dict(type='PackReIDInputs'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='IdentitySampler', batch_size=batch_size, num_instances=num_instances),
    dataset=dict(type='MARS', data_root=data_root, subset='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=test_batch_size,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='MARS', data_root=data_root, subset='test', pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ReIDMetric', protocol='mars_official')
test_evaluator = val_evaluator

optim_wrapper = dict(
    type='OptimWrapper',
    constructor='MultipliedLROptimWrapperConstructor',
    optimizer=dict(type='Adam', lr=5e-6, weight_decay=1e-4),
    paramwise_cfg=dict(bias_lr_mult=2),
)
# Rates of epoch 1, 2 … 10: 0.19, 0.28 … 1 of the full rate; then steps.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.19, begin=0, end=10),
    dict(type='MultiStepLR', milestones=[29, 49], gamma=0.1),
]
train_cfg = dict(type='ResumableTrainLoop', max_epochs=max_epochs, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=batch_size)

default_hooks = dict(
    checkpoint=dict(save_best='reid/mAP', rule='greater'),
    pretrained=dict(
        type='LoadPretrainedHook',
        checkpoint='work_dirs/clipreid_stage1_mars/epoch_120.pth',
        parts=['image_encoder', 'prototype_bank'],
        hint='train stage 1 of configs/clipreid first, or name its checkpoint with '
        '--stage1-checkpoint; see configs/clipreid/README.md',
    ),
)
