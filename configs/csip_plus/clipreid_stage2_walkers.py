"""CLIP-ReID's stage 2 on the walkers, with the tower, data and schedule of the study.

It has no temporal module and no frames' loss; the texts come from
clipreid_stage1_walkers.py.
"""

_base_ = './stage2_walkers.py'

image_size = (64, 32)  # height, width
embed_dim = 96  # space shared by images and texts

model = dict(
    _delete_=True,
    type='TextGuidedReID',
    data_preprocessor=dict(
        type='ReIDDataPreprocessor',
        mean=[122.771, 116.746, 104.094],  # of CLIP's training images, in 0 … 255
        std=[68.501, 66.632, 70.323],
    ),
    image_encoder=dict(
        type='MMPretrainImageEncoder',
        backbone=dict(
            type='ResNet_CIFAR',
            depth=18,
            stem_channels=16,
            base_channels=16,
            strides=(2, 2, 2, 2),
            out_indices=(1, 2, 3),
        ),
        image_size=image_size,
        embed_dim=embed_dim,
    ),
    camera_embedding=dict(type='CameraEmbedding'),
    identity_head=dict(type='BNNeckHead'),
    identity_loss=dict(type='IdentityLoss', label_smoothing=0.1, loss_weight=0.25),
    triplet_loss=dict(type='BatchHardTripletLoss', margin=0.3, loss_weight=1.0),
    prototype_loss=dict(
        type='PrototypeContrastiveLoss', temperature=0.07, label_smoothing=0.1, loss_weight=1.0
    ),
)

train_pipeline = _base_.train_pipeline
train_pipeline.pop(4)  # CenterSkeletons
train_pipeline.pop(2)  # LoadSkeletons
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

default_hooks = dict(
    pretrained=dict(
        checkpoint='work_dirs/clipreid_stage1_walkers/epoch_40.pth',
        parts=['image_encoder', 'prototype_bank'],
        hint='train configs/csip_plus/clipreid_stage1_walkers.py first, or name its checkpoint '
        'with --stage1-checkpoint; see configs/csip_plus/README.md',
    ),
)
