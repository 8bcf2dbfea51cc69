"""Stage 1 that keeps bodies, on LS-VID: stage1_mars.py on the data of csip/stage1_lsvid.py."""

_base_ = './stage1_mars.py'

data_root = 'data/lsvid'

train_dataloader = dict(dataset=dict(type='LSVID', data_root=data_root))
val_dataloader = dict(dataset=dict(type='LSVID', data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='CrossModalRetrievalMetric'),
    dict(type='SkeletonRetrievalMetric', protocol='market'),
]
test_evaluator = val_evaluator
