"""Stage 1 that keeps bodies, on your own tracklets: stage1_mars.py on those of csip."""

_base_ = './stage1_mars.py'

data_root = 'data/folder'

train_dataloader = dict(dataset=dict(type='TrackletFolder', data_root=data_root))
val_dataloader = dict(dataset=dict(type='TrackletFolder', data_root=data_root))
test_dataloader = val_dataloader
# Without camera ids no match can be of another camera; with them leave this out.
val_evaluator = [
    dict(
        type='CrossModalRetrievalMetric',
        protocol=dict(base='csip', name='skeleton to image', same_camera='keep'),
    ),
    dict(
        type='SkeletonRetrievalMetric',
        protocol=dict(base='market', name='folder', same_camera='keep'),
    ),
]
test_evaluator = val_evaluator
