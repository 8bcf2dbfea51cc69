"""TF-CLIP on MARS, with the behaviour of the published code.

Source: the code of Yu et al., AAAI 2024, commit 497a4f2. Each line below is one difference
from tfclip_mars.py; the README of this folder says what it does. The published code trains
in half precision: add --amp on a GPU.
"""

_base_ = './tfclip_mars.py'

model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],  # of ImageNet, in 0 … 255
        std=[58.395, 57.12, 57.375],
    ),
    prototype_loss=dict(normalize=False, temperature=1.0),
)

train_pipeline = _base_.train_pipeline
train_pipeline[4].update(place_by_size=True)  # EraseFrames
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_evaluator = dict(protocol='tfclip')
test_evaluator = val_evaluator

optim_wrapper = dict(
    paramwise_cfg=dict(lr_mults=dict(_delete_=True, **{'temporal_head.classifier.': 10}))
)
# Stepped at the end of an epoch: the rates of epoch 1, 2 … 11 are 0.1, 0.19 … 1 of the full one.
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=11),
    dict(type='MultiStepLR', milestones=[30, 50, 70], gamma=0.1),
]
train_cfg = dict(val_interval=2)
