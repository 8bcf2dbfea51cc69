"""CSIP stage 1 on LS-VID: the MARS recipe on its tracklets, each taken whole.

Source: arXiv:2511.13150. Batch: 64 tracklets of 8 frames on one GPU; memory and
time not measured yet.
"""

_base_ = './stage1_mars.py'

data_root = 'data/lsvid'

train_dataloader = dict(dataset=dict(type='LSVID', data_root=data_root))
val_dataloader = dict(dataset=dict(type='LSVID', data_root=data_root))
test_dataloader = val_dataloader
