"""CLIP-ReID stage 1 on the walkers: the MARS recipe in small, with a random text tower.

No text tower has weights for this; what the texts know they learn from the images.
"""

_base_ = './clipreid_stage1_mars.py'

data_root = 'data/walkers'
clip_len = 4  # frames per tracklet
image_size = (64, 32)  # height, width
embed_dim = 96  # space shared by images and texts
max_epochs = 50
base_lr = 2e-3

model = dict(
    image_encoder=dict(
        arch=dict(
            _delete_=True,
            embed_dims=96,
            num_layers=4,
            num_heads=4,
            feedforward_channels=384,
            patch_size=8,
        ),
        image_size=image_size,
        embed_dim=embed_dim,
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

optim_wrapper = dict(optimizer=dict(lr=base_lr))
param_scheduler = dict(
    total=max_epochs, warmup=3, start_factor=1e-5 / base_lr, end_factor=1e-6 / base_lr
)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)

default_hooks = dict(
    frozen_parts=None,  # the text tower is random, and meant to be
    logger=dict(interval=5),
    pretrained=dict(
        checkpoint='work_dirs/image_only_walkers/epoch_40.pth',
        parts=['image_encoder'],
        hint='train configs/baselines/image_only_walkers.py first, or name its checkpoint with '
        '--pretrained; see README, "Pretrain, fine-tune, test"',
    ),
)
