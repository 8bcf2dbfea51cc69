"""CSIP stage 2 on iLIDS-VID: one embedding per person and camera, first split.

Source: arXiv:2511.13150; rates as in the published code. Batch: 4 identities x 4 clips
of 8 frames on one GPU; memory and time not measured yet. A tracklet is one item, so an
epoch is 37 batches; 8 times the published epochs make about as many steps as its
windows do. In testing the clips of the whole tracklet are averaged.
tools/misc/run_splits.py runs all splits and averages them.
"""

_base_ = './stage2_mars.py'

data_root = 'data/ilidsvid'
max_epochs = 8 * 60

test_pipeline = _base_.test_pipeline
test_pipeline[0].update(mode='dense')

train_dataloader = dict(dataset=dict(type='ILIDSVID', data_root=data_root))
prototype_dataloader = dict(
    dataset=dict(
        type='ILIDSVID',
        data_root=data_root,
        subset='train',
        pipeline=_base_.prototype_pipeline,
    )
)
val_dataloader = dict(dataset=dict(type='ILIDSVID', data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='ilids', test_mode='dense')
test_evaluator = val_evaluator

optim_wrapper = dict(paramwise_cfg=dict(lr_mults=dict(_delete_=True)))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=8 * 10),
    dict(type='MultiStepLR', milestones=[8 * 30, 8 * 50], gamma=0.1),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs // 12)

default_hooks = dict(
    pretrained=dict(checkpoint='work_dirs/stage1_ilidsvid/epoch_1920.pth'),
    prototypes=dict(dataloader=prototype_dataloader),
)
