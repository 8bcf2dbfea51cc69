"""TF-CLIP on LS-VID: the MARS recipe on its tracklets, each taken whole.

Source: Yu et al., AAAI 2024. Batch: 4 identities x 4 tracklets of
8 frames on one GPU; memory and time not measured yet.
"""

_base_ = './tfclip_mars.py'

data_root = 'data/lsvid'

train_dataloader = dict(dataset=dict(type='LSVID', data_root=data_root))
prototype_dataloader = dict(
    dataset=dict(
        type='LSVID', data_root=data_root, subset='train', pipeline=_base_.prototype_pipeline
    )
)
val_dataloader = dict(dataset=dict(type='LSVID', data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(protocol=dict(_delete_=True, base='market', name='lsvid'))
test_evaluator = val_evaluator

default_hooks = dict(prototypes=dict(dataloader=prototype_dataloader))
