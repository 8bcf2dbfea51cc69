"""Image-only control on the walkers: the baseline's tower, trained on like stage 2.

Stage 2 starts from the baseline's tower and trains it further. This does the
same, with the same schedule, but without skeletons, so that what is left between
the two is due to skeletons and prototypes, not to more training.
"""

_base_ = '../csip/stage2_walkers.py'

model = dict(
    skeleton_encoder=None,
    skeleton_head=None,
    prototype_updater=None,
    prototype_loss=None,
)

train_pipeline = _base_.train_pipeline
train_pipeline.pop(4)  # CenterSkeletons
train_pipeline.pop(2)  # LoadSkeletons
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

optim_wrapper = dict(
    paramwise_cfg=dict(
        lr_mults=dict(_delete_=True, **{'temporal.': 3, 'temporal_head.classifier.': 3})
    )
)

default_hooks = dict(
    pretrained=dict(
        checkpoint='work_dirs/image_only_walkers/epoch_40.pth',
        parts=['image_encoder'],
        hint='train configs/baselines/image_only_walkers.py first, or name its checkpoint with '
        '--pretrained; see README, "Pretrain, fine-tune, test"',
    ),
    prototypes=None,
)
