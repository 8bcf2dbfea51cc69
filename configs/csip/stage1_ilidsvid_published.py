"""CSIP stage 1 on iLIDS-VID with the published data: windows of 8 frames, the first split.

Source: the published code of arXiv:2511.13150. The data and the normalisation are
published; model and loss are those of stage1_mars.py. Batch: 64 windows on one GPU;
memory and time not measured yet.
"""

_base_ = './stage1_mars.py'

data_root = 'data/ilidsvid'
clip_len = 8  # frames per window

model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],  # of ImageNet, in 0 … 255
        std=[58.395, 57.12, 57.375],
    )
)

train_dataloader = dict(
    drop_last=True,
    dataset=dict(type='ILIDSVID', data_root=data_root, window_len=clip_len),
)
val_dataloader = dict(dataset=dict(type='ILIDSVID', data_root=data_root, window_len=clip_len))
test_dataloader = val_dataloader
