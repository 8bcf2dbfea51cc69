"""CSIP stage 1 on LS-VID with the published data: chunks of 48 frames, short tracklets lost.

Source: the published code of arXiv:2511.13150. The data and the normalisation are
published; model and loss are those of stage1_mars.py. Batch: 64 chunks of 8 frames on
one GPU; memory and time not measured yet.
"""

_base_ = './stage1_mars.py'

data_root = 'data/lsvid'

model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],  # of ImageNet, in 0 … 255
        std=[58.395, 57.12, 57.375],
    )
)

train_dataloader = dict(
    dataset=dict(type='LSVID', data_root=data_root, chunk_len=48, drop_short=True)
)
val_dataloader = dict(dataset=dict(type='LSVID', data_root=data_root))
test_dataloader = val_dataloader
