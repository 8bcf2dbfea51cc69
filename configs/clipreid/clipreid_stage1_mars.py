"""CLIP-ReID stage 1 on MARS: learn words for each identity against CLIP's image features.

Source: Li et al., AAAI 2023, which knows images; here one feature per tracklet, the mean of
a frame of each eighth, is computed once and stored. Schedule and sizes as in the published
code. The weights come from clip_to_csipreid.py --with-text. Batch: 64 tracklets on one GPU;
memory and time not measured yet.
"""

_base_ = '../_base_/default_runtime.py'

data_root = 'data/mars'
clip_len = 8  # frames per tracklet
image_size = (256, 128)  # height, width
embed_dim = 512  # space shared by images and texts
batch_size = 64  # tracklets
max_epochs = 120
base_lr = 3.5e-4

model = dict(
    type='PromptLearner',
    data_preprocessor=dict(
        type='ReIDDataPreprocessor',
        mean=[122.771, 116.746, 104.094],  # of CLIP's training images, in 0 … 255
        std=[68.501, 66.632, 70.323],
    ),
    image_encoder=dict(
        type='CLIPVisionTransformer',
        arch='b16',
        image_size=image_size,
        embed_dim=embed_dim,
        frozen=True,
    ),
    text_encoder=dict(type='PromptedTextEncoder', prompt='A photo of a X X X X person.'),
    loss=dict(type='CrossModalSupConLoss', temperature=0.07),
)

train_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, mode='first'),
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=image_size),
    dict(type='PackReIDInputs'),
]
test_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, mode='first'),
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=image_size),
    dict(type='PackReIDInputs'),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True, round_up=False),
    dataset=dict(type='MARS', data_root=data_root, subset='train', pipeline=train_pipeline),
)
# Of the frozen tower: what stage 2 begins with.
val_dataloader = dict(
    batch_size=batch_size,
    num_workers=8,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='MARS', data_root=data_root, subset='test', pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ReIDMetric', protocol='mars_official')
test_evaluator = val_evaluator

optim_wrapper = dict(
    type='OptimWrapper',
    constructor='FusedOptimWrapperConstructor',
    optimizer=dict(type='Adam', lr=base_lr, weight_decay=1e-4),
)
param_scheduler = dict(
    type='WarmupCosineLR',
    total=max_epochs,
    warmup=5,
    start_factor=1e-5 / base_lr,
    end_factor=1e-6 / base_lr,
)
train_cfg = dict(type='ResumableTrainLoop', max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=batch_size)

default_hooks = dict(
    checkpoint=dict(interval=10),
    pretrained=dict(
        type='LoadPretrainedHook',
        checkpoint='checkpoints/clip-vit-b16_256x128_text.pth',
        parts=['image_encoder', 'text_encoder'],
        hint='convert CLIP weights with clip_to_csipreid.py --with-text, put them there or name '
        'the file with --pretrained; see configs/clipreid/README.md',
    ),
    # The tower is frozen and frames are not augmented: what it gives is computed once.
    feature_cache=dict(type='FeatureCacheHook', subsets=('train',)),
    texts=dict(type='TextPrototypeHook'),
)
