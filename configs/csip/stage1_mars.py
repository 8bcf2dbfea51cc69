"""CSIP stage 1 on MARS: align a skeleton encoder with a frozen CLIP ViT-B/16.

Source: arXiv:2511.13150; schedule and sizes as in the published code.
Batch: 64 tracklets of 8 frames on one GPU; memory and time not measured yet.
"""

_base_ = '../_base_/default_runtime.py'

data_root = 'data/mars'
clip_len = 8  # frames per clip
image_size = (256, 128)  # height, width
embed_dim = 512  # space shared by images and skeletons
batch_size = 64  # tracklets
max_epochs = 120
base_lr = 3.5e-4

model = dict(
    type='SkeletonImagePretrainer',
    data_preprocessor=dict(
        type='ReIDDataPreprocessor',
        mean=[122.771, 116.746, 104.094],  # of CLIP's training images, in 0 … 255
        std=[68.501, 66.632, 70.323],
    ),
    image_encoder=dict(
        type='CLIPVisionTransformer',
        arch='b16',
        image_size=image_size,
        embed_dim=embed_dim,
        frozen=True,
    ),
    skeleton_encoder=dict(
        type='SkeletonGraphTransformer',
        layout='h36m',
        embed_dim=512,
        depth=10,
        num_heads=8,
        feedforward_channels=1024,
        dropout=0.3,
        num_eigenvectors=10,
    ),
    skeleton_head=dict(type='SkeletonProjectionHead'),
    loss=dict(type='CrossModalSupConLoss', temperature=0.07),
)

train_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, mode='restricted_random'),
    dict(type='LoadFrames'),
    dict(type='LoadSkeletons', layout='h36m', missing='mask'),
    dict(type='ResizeFrames', size=image_size),
    dict(type='CenterSkeletons'),
    dict(type='PackReIDInputs'),
]
test_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, mode='first'),
    dict(type='LoadFrames'),
    dict(type='LoadSkeletons', layout='h36m', missing='mask'),
    dict(type='ResizeFrames', size=image_size),
    dict(type='CenterSkeletons'),
    dict(type='PackReIDInputs'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='MARS', data_root=data_root, subset='train', pipeline=train_pipeline),
)
# Held-out identities: skeletons of the query tracklets against images of the gallery.
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='MARS', data_root=data_root, subset='test', pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='CrossModalRetrievalMetric')
test_evaluator = val_evaluator

optim_wrapper = dict(
    type='OptimWrapper',
    constructor='FusedOptimWrapperConstructor',
    optimizer=dict(type='Adam', lr=base_lr, weight_decay=1e-4),
)
param_scheduler = dict(
    type='WarmupCosineLR',
    total=max_epochs,
    warmup=5,
    start_factor=1e-5 / base_lr,
    end_factor=1e-6 / base_lr,
)
train_cfg = dict(type='ResumableTrainLoop', max_epochs=max_epochs, val_interval=10)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=batch_size)

default_hooks = dict(
    pretrained=dict(
        type='LoadPretrainedHook',
        checkpoint='checkpoints/clip-vit-b16_256x128.pth',
        parts=['image_encoder'],
        hint='put CLIP weights there or name a file with --pretrained; '
        'see README, "Pretrain, fine-tune, test"',
    ),
    # The tower is frozen and frames are not augmented: what it gives is computed once.
    feature_cache=dict(type='FeatureCacheHook'),
)
