"""Stage 2 with joints as a second target, on your own tracklets: csip/stage2_folder.py and more.

The image tower also learns to find the joints of each frame, by a head that testing does
without, and clips get the colours of other cameras. Skeletons come from stage1_folder.py
beside this. Measured on the walkers only (README.md beside this).
"""

_base_ = '../csip/stage2_folder.py'

model = dict(
    skeleton_encoder=dict(bones=True, scale_free=True),
    skeleton_head=dict(type='SkeletonProjectionHead', batch_norm=True),
    joint_head=dict(type='JointPredictionHead'),
    joint_loss=dict(type='JointLoss', loss_weight=50.0),
)

train_pipeline = _base_.train_pipeline
train_pipeline.insert(6, dict(type='JitterColors'))  # after FlipClip
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

optim_wrapper = dict(paramwise_cfg=dict(lr_mults={'joint_head.': 10}))

default_hooks = dict(
    pretrained=dict(
        hint='train configs/csip_plus/stage1_folder.py first, or name its checkpoint with '
        '--stage1-checkpoint; see configs/csip_plus/README.md',
    ),
)
