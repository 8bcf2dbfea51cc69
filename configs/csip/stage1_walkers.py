"""CSIP stage 1 on the walkers: the MARS recipe in small.

The image tower comes from the image-only baseline (configs/baselines), trained on
the walkers' own training identities, because no CLIP weights are shipped. Sizes,
number of epochs, learning rate and dropout differ from MARS: a model this small
underfits with dropout.
"""

_base_ = './stage1_mars.py'

data_root = 'data/walkers'
clip_len = 4  # frames per clip
image_size = (64, 32)  # height, width
embed_dim = 96  # space shared by images and skeletons
batch_size = 32  # tracklets
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
    skeleton_encoder=dict(
        embed_dim=64, depth=2, num_heads=4, feedforward_channels=128, dropout=0.0
    ),
)

train_pipeline = _base_.train_pipeline
train_pipeline[0].update(clip_len=clip_len)
train_pipeline[3].update(size=image_size)
test_pipeline = _base_.test_pipeline
test_pipeline[0].update(clip_len=clip_len)
test_pipeline[3].update(size=image_size)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    dataset=dict(data_root=data_root, pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    dataset=dict(data_root=data_root, pipeline=test_pipeline),
)
test_dataloader = val_dataloader

optim_wrapper = dict(optimizer=dict(lr=base_lr))
param_scheduler = dict(
    total=max_epochs, warmup=3, start_factor=1e-5 / base_lr, end_factor=1e-6 / base_lr
)
train_cfg = dict(max_epochs=max_epochs)
auto_scale_lr = dict(base_batch_size=batch_size)

default_hooks = dict(
    logger=dict(interval=5),
    pretrained=dict(
        checkpoint='work_dirs/image_only_walkers/epoch_40.pth',
        hint='train configs/baselines/image_only_walkers.py first, or name its checkpoint with '
        '--pretrained; see README, "Pretrain, fine-tune, test"',
    ),
)
