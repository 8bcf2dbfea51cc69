"""Image-only baseline on the walkers: stage 2 without skeletons, from scratch.

A row of the table, and the image tower of stages 1 and 2.
"""

_base_ = '../csip/stage2_walkers.py'

max_epochs = 40

model = dict(
    skeleton_encoder=None,
    skeleton_head=None,
    prototype_updater=None,
    prototype_loss=None,
    # CLIP's projections are trained to differ in direction; this does it here.
    contrastive_loss=dict(type='SupConLoss', temperature=0.07),
)

train_pipeline = _base_.train_pipeline
train_pipeline.pop(4)  # CenterSkeletons
train_pipeline.pop(2)  # LoadSkeletons
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

optim_wrapper = dict(optimizer=dict(lr=2e-3), paramwise_cfg=dict(_delete_=True, bias_lr_mult=1))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=5),
    dict(type='CosineAnnealingLR', T_max=max_epochs, eta_min=1e-6),
]
train_cfg = dict(max_epochs=max_epochs)

default_hooks = dict(pretrained=None, prototypes=None)
