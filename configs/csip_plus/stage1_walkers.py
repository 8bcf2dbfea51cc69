"""Stage 1 on the walkers that keeps bodies: skeletons against images, and against skeletons.

The image tower is the one of image_only_walkers.py. Batches hold two clips of each
person, turned, mirrored and jittered; the encoder is given bones without their
absolute size, which a cropped image does not show either.
"""

_base_ = '../csip/stage1_mars.py'

data_root = 'data/walkers'
clip_len = 4  # frames per clip
image_size = (64, 32)  # height, width
embed_dim = 96  # space shared by images and skeletons
num_instances = 2  # tracklets per identity in a batch
batch_size = 32 * num_instances  # tracklets
max_epochs = 40
base_lr = 3e-3

model = dict(
    image_encoder=dict(
        _delete_=True,
        type='MMPretrainImageEncoder',
        backbone=dict(
            type='ResNet_CIFAR',
            depth=18,
            stem_channels=16,
            base_channels=16,
            strides=(2, 2, 2, 2),
            out_indices=(1, 2, 3),
        ),
        image_size=image_size,
        embed_dim=embed_dim,
        frozen=True,
    ),
    skeleton_encoder=dict(
        embed_dim=64,
        depth=2,
        num_heads=4,
        feedforward_channels=128,
        dropout=0.0,
        bones=True,
        scale_free=True,
    ),
    skeleton_head=dict(batch_norm=True),
    loss=dict(loss_weight=0.1),
    skeleton_loss=dict(type='SupConLoss', temperature=0.07),
)

train_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, mode='restricted_random'),
    dict(type='LoadFrames'),
    dict(type='LoadSkeletons', layout='h36m', missing='mask'),
    dict(type='ResizeFrames', size=image_size),
    dict(type='CenterSkeletons'),
    dict(type='RotateSkeletons'),
    dict(type='MirrorSkeletons'),
    dict(type='JitterSkeletons', std=0.005),
    dict(type='PackReIDInputs'),
]
test_pipeline = _base_.test_pipeline
test_pipeline[0].update(clip_len=clip_len)
test_pipeline[3].update(size=image_size)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    drop_last=True,
    sampler=dict(
        _delete_=True,
        type='IdentitySampler',
        batch_size=batch_size,
        num_instances=num_instances,
    ),
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    dataset=dict(data_root=data_root, pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='CrossModalRetrievalMetric'),
    dict(type='SkeletonRetrievalMetric', protocol='mars_official'),
]
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=base_lr, weight_decay=0.01))
param_scheduler = dict(total=max_epochs, warmup=3, start_factor=0.02, end_factor=0.01)
train_cfg = dict(max_epochs=max_epochs)
auto_scale_lr = dict(base_batch_size=batch_size)

default_hooks = dict(
    logger=dict(interval=10),
    collapse=dict(type='CollapseHook'),
    pretrained=dict(
        checkpoint='work_dirs/image_only_walkers/epoch_8.pth',
        hint='train configs/csip_plus/image_only_walkers.py first, or name its checkpoint with '
        '--pretrained; see configs/csip_plus/README.md',
    ),
)
