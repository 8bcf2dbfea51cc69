"""CSIP stage 1 on tracklets of your own, in folders or a table; see README, "Data".

The MARS recipe. Batch: 64 tracklets of 8 frames on one GPU; memory and time not
measured yet. A table instead of folders:
``--cfg-options train_dataloader.dataset.annotation=list.csv`` and the same for
``val_dataloader`` and ``test_dataloader``.
"""

_base_ = './stage1_mars.py'

data_root = 'data/folder'

train_dataloader = dict(dataset=dict(type='TrackletFolder', data_root=data_root))
val_dataloader = dict(dataset=dict(type='TrackletFolder', data_root=data_root))
test_dataloader = val_dataloader
# Without camera ids no match can be of another camera; with them leave this out.
val_evaluator = dict(protocol=dict(base='csip', name='skeleton to image', same_camera='keep'))
test_evaluator = val_evaluator
