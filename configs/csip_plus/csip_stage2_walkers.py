"""The paper's stage 2 on the walkers, with the tower, data and schedule of the study.

Prototypes and guided temporal modeling as in the paper; skeletons come from
csip_stage1_walkers.py.
"""

_base_ = './stage2_walkers.py'

clip_len = 2  # frames per clip
image_size = (64, 32)  # height, width

model = dict(
    joint_head=None,
    joint_loss=None,
    skeleton_encoder=dict(
        type='SkeletonGraphTransformer',
        layout='h36m',
        embed_dim=64,
        depth=2,
        num_heads=4,
        feedforward_channels=128,
        dropout=0.0,
    ),
    skeleton_head=dict(type='SkeletonProjectionHead'),
    prototype_updater=dict(type='PrototypeFusionUpdater', num_heads=4),
    prototype_loss=dict(
        type='PrototypeContrastiveLoss', temperature=0.07, label_smoothing=0.1, loss_weight=1.0
    ),
)

prototype_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, mode='first'),
    dict(type='LoadFrames'),
    dict(type='LoadSkeletons', layout='h36m', missing='mask'),
    dict(type='ResizeFrames', size=image_size),
    dict(type='CenterSkeletons'),
    dict(type='PackReIDInputs'),
]
prototype_dataloader = dict(
    batch_size=32,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type='MARS', data_root='data/walkers', subset='train', pipeline=prototype_pipeline
    ),
)

default_hooks = dict(
    pretrained=dict(
        checkpoint='work_dirs/csip_stage1_walkers/epoch_40.pth',
        parts=['image_encoder', 'skeleton_encoder', 'skeleton_head'],
        hint='train configs/csip_plus/csip_stage1_walkers.py first, or name its checkpoint with '
        '--stage1-checkpoint; see configs/csip_plus/README.md',
    ),
    prototypes=dict(type='PrototypeHook', dataloader=prototype_dataloader),
)
