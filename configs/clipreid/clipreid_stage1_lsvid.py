"""CLIP-ReID stage 1 on LS-VID: the MARS recipe; see clipreid_stage1_mars.py."""

_base_ = './clipreid_stage1_mars.py'

data_root = 'data/lsvid'

train_dataloader = dict(dataset=dict(type='LSVID', data_root=data_root))
val_dataloader = dict(dataset=dict(type='LSVID', data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(protocol=dict(_delete_=True, base='market', name='lsvid'))
test_evaluator = val_evaluator
