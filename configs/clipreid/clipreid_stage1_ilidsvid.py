"""CLIP-ReID stage 1 on iLIDS-VID: the MARS recipe; see clipreid_stage1_mars.py."""

_base_ = './clipreid_stage1_mars.py'

data_root = 'data/ilidsvid'

test_pipeline = _base_.test_pipeline
test_pipeline[0].update(mode='dense')

train_dataloader = dict(dataset=dict(type='ILIDSVID', data_root=data_root))
val_dataloader = dict(dataset=dict(type='ILIDSVID', data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='ilids', test_mode='dense')
test_evaluator = val_evaluator
