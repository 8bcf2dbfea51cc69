"""TF-CLIP on the walkers, with the tower, data and schedule of the study."""

_base_ = './stage2_walkers.py'

clip_len = 2  # frames per clip
image_size = (64, 32)  # height, width

model = dict(
    joint_head=None,
    joint_loss=None,
    prototype_updater=dict(type='SequenceSpecificPrompt', num_heads=4),
    prototype_loss=dict(
        type='PrototypeContrastiveLoss', temperature=0.07, label_smoothing=0.1, loss_weight=1.0
    ),
    temporal=dict(_delete_=True, type='TemporalMemoryDiffusion', num_heads=4),
    frame_loss=dict(loss_weight=1.0),
)

train_pipeline = _base_.train_pipeline
train_pipeline.pop(4)  # CenterSkeletons
train_pipeline.pop(2)  # LoadSkeletons
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
prototype_pipeline = [
    dict(type='SampleClip', clip_len=clip_len, mode='dense'),
    dict(type='LoadFrames'),
    dict(type='ResizeFrames', size=image_size),
    dict(type='PackReIDInputs'),
]
prototype_dataloader = dict(
    batch_size=16,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type='MARS', data_root='data/walkers', subset='train', pipeline=prototype_pipeline
    ),
)

default_hooks = dict(prototypes=dict(type='PrototypeHook', dataloader=prototype_dataloader))
