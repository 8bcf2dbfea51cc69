"""CLIP-ReID stage 2 on iLIDS-VID: the MARS recipe; see clipreid_stage2_mars.py."""

_base_ = './clipreid_stage2_mars.py'

data_root = 'data/ilidsvid'

test_pipeline = _base_.test_pipeline
test_pipeline[0].update(mode='dense')

train_dataloader = dict(dataset=dict(type='ILIDSVID', data_root=data_root))
val_dataloader = dict(dataset=dict(type='ILIDSVID', data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='ilids', test_mode='dense')
test_evaluator = val_evaluator

param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=8 * 10),
    dict(type='MultiStepLR', milestones=[8 * 29, 8 * 49], gamma=0.1),
]
train_cfg = dict(max_epochs=8 * 60, val_interval=8 * 5)

default_hooks = dict(pretrained=dict(checkpoint='work_dirs/clipreid_stage1_ilidsvid/epoch_120.pth'))
