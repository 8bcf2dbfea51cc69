"""Stage 1 that keeps bodies, on iLIDS-VID: stage1_mars.py, data as in csip/stage1_ilidsvid.py."""

_base_ = './stage1_mars.py'

data_root = 'data/ilidsvid'
max_epochs = 16 * 120

train_dataloader = dict(dataset=dict(type='ILIDSVID', data_root=data_root))
val_dataloader = dict(dataset=dict(type='ILIDSVID', data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='CrossModalRetrievalMetric'),
    dict(type='SkeletonRetrievalMetric', protocol='ilids'),
]
test_evaluator = val_evaluator

param_scheduler = dict(total=max_epochs, warmup=16 * 5)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs // 12)
