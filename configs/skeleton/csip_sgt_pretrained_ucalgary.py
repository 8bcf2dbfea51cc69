"""CSIP's encoder from a stage 1 on video (csip_plus/stage1_walkers.py), fine-tuned on UCalgary.

The 18 Kinect joints are mapped to the 17 of Human3.6M, which the encoder knows. Frozen:
``--cfg-options model.freeze_encoder=True``. From scratch on the same joints:
``--cfg-options default_hooks.pretrained=None``.
"""

_base_ = './csip_sgt_ucalgary.py'

model = dict(
    skeleton_encoder=dict(layout='h36m', bones=True, scale_free=True, dropout=0.0),
)

train_pipeline = _base_.train_pipeline
train_pipeline.insert(2, dict(type='MapSkeletons'))
test_pipeline = _base_.test_pipeline
test_pipeline.insert(2, dict(type='MapSkeletons'))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

default_hooks = dict(
    pretrained=dict(
        type='LoadPretrainedHook',
        checkpoint='work_dirs/stage1_walkers/epoch_40.pth',
        parts=['skeleton_encoder'],
        hint='train configs/csip_plus/stage1_walkers.py first, or name its checkpoint with '
        '--pretrained; see configs/skeleton/README.md',
    ),
)
