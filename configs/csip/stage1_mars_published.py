"""CSIP stage 1 on MARS, with the behaviour of the published code.

Source: the code of arXiv:2511.13150, commit ac5a2ef. Each line below is one
difference from stage1_mars.py; the README of this folder says what it does. The
published code trains in half precision: add --amp on a GPU.
"""

_base_ = './stage1_mars.py'

model = dict(
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],  # of ImageNet, in 0 … 255
        std=[58.395, 57.12, 57.375],
    ),
    skeleton_encoder=dict(encoding='published', random_signs=True),
    loss=dict(normalize=False, temperature=1.0, loss_weight=2.0),
)

train_pipeline = _base_.train_pipeline
train_pipeline[2].update(missing='zeros')  # LoadSkeletons
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
