"""CSIP's skeleton graph transformer on the UCalgary gait data, from scratch.

Kinect v2, 18 joints, six-frame windows. Data: README of this folder. Minutes on two CPU cores.
"""

_base_ = '../_base_/default_runtime.py'

data_root = 'data/ucalgary'
clip_len = 6  # frames per clip
embed_dim = 128
num_instances = 4  # clips per identity in a batch
batch_size = 24 * num_instances  # clips
max_epochs = 15
base_lr = 2e-3

model = dict(
    type='SkeletonReID',
    data_preprocessor=dict(type='SkeletonDataPreprocessor'),
    skeleton_encoder=dict(
        type='SkeletonGraphTransformer',
        layout='ucalgary18',
        embed_dim=64,
        depth=2,
        num_heads=4,
        feedforward_channels=128,
        dropout=0.1,
        bones=True,
    ),
    skeleton_head=dict(type='SkeletonProjectionHead', batch_norm=True),
    embed_dim=embed_dim,
    identity_head=dict(type='BNNeckHead'),
    identity_loss=dict(type='IdentityLoss', label_smoothing=0.1),
    contrastive_loss=dict(type='SupConLoss', temperature=0.07, loss_weight=0.5),
)

train_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, mode='first'),
    dict(type='TakeSkeletons'),
    dict(type='CenterSkeletons'),
    dict(type='RotateSkeletons'),
    dict(type='MirrorSkeletons'),
    dict(type='JitterSkeletons', std=0.005),
    dict(type='PackReIDInputs'),
]
test_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, mode='first'),
    dict(type='TakeSkeletons'),
    dict(type='CenterSkeletons'),
    dict(type='PackReIDInputs'),
]
dataset = dict(
    type='SkeletonSequences',
    data_root=data_root,
    layout='ucalgary18',
    # Training and gallery are runs 1, 3 and 5. Other probes: probe_right.npz, probe_left.npz.
    files=dict(train='train.npz', query='probe_normal.npz', gallery='train.npz'),
    window=clip_len,
    stride=dict(train=3, gallery=3),
)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='IdentitySampler', batch_size=batch_size, num_instances=num_instances),
    dataset=dict(dataset, subset='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=256,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(dataset, subset='test', pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='ReIDMetric', protocol=dict(base='ks20', name='ucalgary'), ranks=(1, 5, 10)
)
test_evaluator = val_evaluator

optim_wrapper = dict(
    type='OptimWrapper',
    constructor='FusedOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=base_lr, weight_decay=0.01),
)
param_scheduler = dict(
    type='WarmupCosineLR', total=max_epochs, warmup=2, start_factor=0.02, end_factor=0.01
)
train_cfg = dict(type='ResumableTrainLoop', max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=batch_size)
