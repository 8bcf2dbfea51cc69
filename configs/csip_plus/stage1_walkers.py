"""Stage 1 on the walkers that keeps bodies: skeletons against images, and against skeletons.

The image tower is the one of image_only_walkers.py. Batches hold two clips of each
person, turned, mirrored and jittered; the encoder is given bones without their
absolute size, which a cropped image does not show either.
"""

_base_ = './csip_stage1_walkers.py'

num_instances = 2  # tracklets per identity in a batch
base_lr = 3e-3

model = dict(
    skeleton_encoder=dict(bones=True, scale_free=True),
    skeleton_head=dict(batch_norm=True),
    loss=dict(loss_weight=0.1),
    skeleton_loss=dict(type='SupConLoss', temperature=0.07),
)

train_pipeline = _base_.train_pipeline
train_pipeline[5:5] = [  # after CenterSkeletons
    dict(type='RotateSkeletons'),
    dict(type='MirrorSkeletons'),
    dict(type='JitterSkeletons', std=0.005),
]
train_dataloader = dict(
    drop_last=True,
    sampler=dict(
        _delete_=True,
        type='IdentitySampler',
        batch_size=_base_.batch_size,
        num_instances=num_instances,
    ),
    dataset=dict(pipeline=train_pipeline),
)

optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=base_lr, weight_decay=0.01))
param_scheduler = dict(start_factor=0.02, end_factor=0.01)
