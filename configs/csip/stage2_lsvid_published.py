"""CSIP stage 2 on LS-VID with the published data: chunks of 48 frames, short tracklets lost.

Source: the published code of arXiv:2511.13150. Data, augmentation, normalisation,
schedule and protocol are published; the model is that of stage2_mars.py. Batch:
4 identities x 4 chunks of 8 frames on one GPU; memory and time not measured yet.
"""

_base_ = './stage2_mars.py'

data_root = 'data/lsvid'

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
    dataset=dict(
        type='LSVID', data_root=data_root, chunk_len=48, drop_short=True, pipeline=train_pipeline
    )
)
prototype_dataloader = dict(
    dataset=dict(
        type='LSVID',
        data_root=data_root,
        chunk_len=48,
        drop_short=True,
        subset='train',
        pipeline=_base_.prototype_pipeline,
    )
)
val_dataloader = dict(dataset=dict(type='LSVID', data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='csip')
test_evaluator = val_evaluator

optim_wrapper = dict(paramwise_cfg=dict(lr_mults=dict(_delete_=True)))

default_hooks = dict(
    pretrained=dict(checkpoint='work_dirs/stage1_lsvid_published/epoch_120.pth'),
    prototypes=dict(dataloader=prototype_dataloader),
)
