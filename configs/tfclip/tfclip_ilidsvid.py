"""TF-CLIP on iLIDS-VID: one embedding per person and camera, first split.

Source: Yu et al., AAAI 2024. A tracklet is one item, so an epoch is 37 batches; 8 times
the published epochs make about as many steps as its windows do. Batch:
4 identities x 4 tracklets of 8 frames on one GPU; memory and time not measured yet.
"""

_base_ = './tfclip_mars.py'

data_root = 'data/ilidsvid'
max_epochs = 8 * 80

test_pipeline = _base_.test_pipeline
test_pipeline[0].update(mode='dense')

train_dataloader = dict(dataset=dict(type='ILIDSVID', data_root=data_root))
prototype_dataloader = dict(
    dataset=dict(
        type='ILIDSVID', data_root=data_root, subset='train', pipeline=_base_.prototype_pipeline
    )
)
val_dataloader = dict(dataset=dict(type='ILIDSVID', data_root=data_root, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(protocol='ilids', test_mode='dense')
test_evaluator = val_evaluator

param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=8 * 10),
    dict(type='MultiStepLR', milestones=[8 * 29, 8 * 49, 8 * 69], gamma=0.1),
]
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs // 16)

default_hooks = dict(prototypes=dict(dataloader=prototype_dataloader))
