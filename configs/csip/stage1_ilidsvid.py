"""CSIP stage 1 on iLIDS-VID: the MARS recipe on the first of its ten splits.

Source: arXiv:2511.13150. Batch: 64 tracklets of 8 frames on one GPU; memory and
time not measured yet. A tracklet is one item, so an epoch is 5 batches; 16 times the
epochs of MARS make about as many steps as the published windows do.
tools/misc/run_splits.py runs all splits and averages them.
"""

_base_ = './stage1_mars.py'

data_root = 'data/ilidsvid'
max_epochs = 16 * 120

train_dataloader = dict(dataset=dict(type='ILIDSVID', data_root=data_root))
val_dataloader = dict(dataset=dict(type='ILIDSVID', data_root=data_root))
test_dataloader = val_dataloader

param_scheduler = dict(total=max_epochs, warmup=16 * 5)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs // 12)
