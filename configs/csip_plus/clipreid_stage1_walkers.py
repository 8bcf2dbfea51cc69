"""CLIP-ReID's stage 1 on the walkers, on the tower of the study and a random text tower.

No text tower has weights for this; what the texts know they learn from the images.
"""

_base_ = '../clipreid/clipreid_stage1_mars.py'

data_root = 'data/walkers'
clip_len = 4  # frames per tracklet
image_size = (64, 32)  # height, width
embed_dim = 96  # space shared by images and texts
max_epochs = 40
base_lr = 2e-3

model = dict(
    image_encoder=dict(
        _delete_=True,
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
        frozen=True,
    ),
    # Its weights are random: none exist for a tower this small.
    text_encoder=dict(width=64, num_layers=2, num_heads=1),
)

train_pipeline = _base_.train_pipeline
train_pipeline[0].update(clip_len=clip_len)
train_pipeline[2].update(size=image_size)
test_pipeline = _base_.test_pipeline
test_pipeline[0].update(clip_len=clip_len)
test_pipeline[2].update(size=image_size)
train_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='mars_official')
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=base_lr))
param_scheduler = dict(
    total=max_epochs, warmup=3, start_factor=1e-5 / base_lr, end_factor=1e-6 / base_lr
)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)

default_hooks = dict(
    frozen_parts=None,  # the text tower is random, and meant to be
    logger=dict(interval=10),
    pretrained=dict(
        checkpoint='work_dirs/image_only_walkers/epoch_8.pth',
        parts=['image_encoder'],
        hint='train configs/csip_plus/image_only_walkers.py first, or name its checkpoint with '
        '--pretrained; see configs/csip_plus/README.md',
    ),
)
