"""Fine-tuning on the walkers with joints as a second target.

The image tower learns people as in the image-only control
(image_only_continued_walkers.py), and beside that to find the joints in each frame.
RGB alone at test, all frames of a tracklet, at the cost of the control. What each part
brings: README.md beside this.
"""

_base_ = '../_base_/default_runtime.py'

data_root = 'data/walkers'
clip_len = 2  # frames per clip: many people in a batch bring more than many frames
image_size = (64, 32)  # height, width
embed_dim = 96  # space shared by images and skeletons
num_instances = 2  # tracklets per identity in a batch
batch_size = 32 * num_instances  # tracklets
test_batch_size = 16  # tracklets
max_epochs = 69
base_lr = 2e-3

model = dict(
    type='VideoReID',
    data_preprocessor=dict(
        type='ReIDDataPreprocessor',
        mean=[122.771, 116.746, 104.094],  # of CLIP's training images, in 0 … 255
        std=[68.501, 66.632, 70.323],
    ),
    # Overlapping convolutions see limbs where the patches of a ViT this small do not.
    image_encoder=dict(
        type='MMPretrainImageEncoder',
        backbone=dict(
            type='ResNet_CIFAR',
            depth=18,
            stem_channels=16,
            base_channels=16,
            strides=(2, 2, 2, 2),
            out_indices=(1, 2, 3),  # 16 x 8, 8 x 4 and 4 x 2 cells
        ),
        image_size=image_size,
        embed_dim=embed_dim,
    ),
    camera_embedding=dict(type='CameraEmbedding'),
    temporal=dict(type='SkeletonGuidedTemporalModeling', num_heads=4),
    identity_head=dict(type='BNNeckHead'),
    identity_loss=dict(type='IdentityLoss', label_smoothing=0.1, loss_weight=0.25),
    triplet_loss=dict(type='BatchHardTripletLoss', margin=0.3, loss_weight=1.0),
    frame_loss=dict(type='IdentityLoss', label_smoothing=0.1, loss_weight=1.3),
    contrastive_loss=dict(type='SupConLoss', temperature=0.07),
    joint_head=dict(type='JointPredictionHead'),
    joint_loss=dict(type='JointLoss', loss_weight=50.0),
)

train_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, mode='restricted_random'),
    dict(type='LoadFrames'),
    dict(type='LoadSkeletons', layout='h36m', missing='mask'),
    dict(type='ResizeFrames', size=image_size),
    dict(type='CenterSkeletons'),
    dict(type='FlipClip', prob=0.5),
    dict(type='JitterColors'),
    dict(type='PackReIDInputs'),
]
# RGB alone: no skeleton is read.
test_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, mode='dense'),
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=image_size),
    dict(type='PackReIDInputs'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='IdentitySampler', batch_size=batch_size, num_instances=num_instances),
    dataset=dict(type='MARS', data_root=data_root, subset='train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=test_batch_size,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='MARS', data_root=data_root, subset='test', pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ReIDMetric', protocol='mars_official')
test_evaluator = val_evaluator

optim_wrapper = dict(
    type='OptimWrapper',
    constructor='FusedOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=base_lr, weight_decay=0.02),
    clip_grad=dict(max_norm=5.0),
)
param_scheduler = dict(
    type='WarmupCosineLR', total=max_epochs, warmup=1, start_factor=0.2, end_factor=0.01
)
train_cfg = dict(type='ResumableTrainLoop', max_epochs=max_epochs, val_interval=23)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=batch_size)

default_hooks = dict(
    logger=dict(interval=10),
    # Most batches hold people in the same clothes: what tells them apart must be learnt.
    look_alikes=dict(type='LookAlikeHook', num_look_alikes=2),
    pretrained=dict(
        type='LoadPretrainedHook',
        checkpoint='work_dirs/image_only_walkers/epoch_8.pth',
        parts=['image_encoder'],
        hint='train configs/csip_plus/image_only_walkers.py first, or name its checkpoint with '
        '--pretrained; see configs/csip_plus/README.md',
    ),
)
