"""TF-CLIP on tracklets of your own, in folders or a table; see README, "Data".

The MARS recipe without what needs camera ids; see configs/csip/stage2_folder.py.
Batch: 4 identities x 4 tracklets of 8 frames on one GPU; memory and time not measured yet.
"""

_base_ = './tfclip_mars.py'

data_root = 'data/folder'

model = dict(camera_embedding=None)

train_dataloader = dict(dataset=dict(type='TrackletFolder', data_root=data_root))
prototype_dataloader = dict(
    dataset=dict(
        type='TrackletFolder',
        data_root=data_root,
        subset='train',
        pipeline=_base_.prototype_pipeline,
    )
)
val_dataloader = dict(dataset=dict(type='TrackletFolder', data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(protocol=dict(_delete_=True, base='market', name='folder', same_camera='keep'))
test_evaluator = val_evaluator

default_hooks = dict(prototypes=dict(dataloader=prototype_dataloader))
