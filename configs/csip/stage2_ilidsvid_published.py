"""CSIP stage 2 on iLIDS-VID with the published data: windows of 8 frames, the first split.

Every window queries by itself, so the numbers cannot be compared with those of the
usual protocol. Source: the published code of arXiv:2511.13150. Data, augmentation,
normalisation, schedule and protocol are published; the model is that of
stage2_mars.py. Batch: 4 identities x 4 windows on one GPU; memory and time not
measured yet.
"""

_base_ = './stage2_mars.py'

data_root = 'data/ilidsvid'
clip_len = 8  # frames per window
max_epochs = 60

model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],  # of ImageNet, in 0 … 255
        std=[58.395, 57.12, 57.375],
    )
)

train_pipeline = _base_.train_pipeline
train_pipeline[5].update(mirror_skeletons=False)  # FlipClip
train_pipeline[6].update(place_by_size=True)  # EraseFrames
train_dataloader = dict(
    dataset=dict(type='ILIDSVID', data_root=data_root, window_len=clip_len, pipeline=train_pipeline)
)
prototype_dataloader = dict(
    dataset=dict(
        type='ILIDSVID',
        data_root=data_root,
        window_len=clip_len,
        subset='train',
        pipeline=_base_.prototype_pipeline,
    )
)
val_dataloader = dict(dataset=dict(type='ILIDSVID', data_root=data_root, window_len=clip_len))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='ilids')
test_evaluator = val_evaluator

optim_wrapper = dict(paramwise_cfg=dict(lr_mults=dict(_delete_=True)))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.19, begin=0, end=10),
    dict(type='MultiStepLR', milestones=[29, 49], gamma=0.1),
]
train_cfg = dict(max_epochs=max_epochs)

default_hooks = dict(
    pretrained=dict(checkpoint='work_dirs/stage1_ilidsvid_published/epoch_120.pth'),
    prototypes=dict(dataloader=prototype_dataloader),
)
