"""CLIP-ReID stage 2 on the walkers: the MARS recipe in small, as configs/csip/stage2_walkers.py."""

_base_ = './clipreid_stage2_mars.py'

data_root = 'data/walkers'
clip_len = 4  # frames per clip
image_size = (64, 32)  # height, width
embed_dim = 96  # space shared by images and texts
max_epochs = 24

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

optim_wrapper = dict(optimizer=dict(lr=3e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.19, begin=0, end=5),
    dict(type='MultiStepLR', milestones=[16, 21], gamma=0.1),
]
train_cfg = dict(max_epochs=max_epochs)

default_hooks = dict(
    logger=dict(interval=5),
    pretrained=dict(checkpoint='work_dirs/clipreid_stage1_walkers/epoch_50.pth'),
)
