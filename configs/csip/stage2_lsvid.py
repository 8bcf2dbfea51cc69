"""CSIP stage 2 on LS-VID: the MARS recipe on its tracklets, each taken whole.

Source: arXiv:2511.13150; schedule as in the published code, which gives new modules
no larger rate here. Batch: 4 identities x 4 tracklets of 8 frames on one GPU; memory
and time not measured yet.
"""

_base_ = './stage2_mars.py'

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

optim_wrapper = dict(paramwise_cfg=dict(lr_mults=dict(_delete_=True)))

default_hooks = dict(
    pretrained=dict(checkpoint='work_dirs/stage1_lsvid/epoch_120.pth'),
    prototypes=dict(dataloader=prototype_dataloader),
)
