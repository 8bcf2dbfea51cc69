"""Stage 1 that keeps bodies, on your own tracklets: csip/stage1_folder.py with more.

Batches hold two clips of each person; their skeletons are turned, mirrored and jittered,
and compared with one another beside the images. The encoder is given bones without their
absolute size. Measured on the walkers only (README.md beside this).
"""

_base_ = '../csip/stage1_folder.py'

num_instances = 2  # tracklets per identity in a batch
batch_size = 32 * num_instances  # tracklets

model = dict(
    skeleton_encoder=dict(bones=True, scale_free=True),
    skeleton_head=dict(batch_norm=True),
    loss=dict(loss_weight=0.1),
    skeleton_loss=dict(type='SupConLoss', temperature=0.07),
)

train_pipeline = _base_.train_pipeline
train_pipeline[5:5] = [  # after CenterSkeletons
    dict(type='RotateSkeletons'),
    dict(type='MirrorSkeletons'),
    dict(type='JitterSkeletons'),
]
train_dataloader = dict(
    batch_size=batch_size,
    drop_last=True,
    sampler=dict(
        _delete_=True,
        type='IdentitySampler',
        batch_size=batch_size,
        num_instances=num_instances,
    ),
    dataset=dict(pipeline=train_pipeline),
)
val_evaluator = [
    _base_.val_evaluator,
    dict(
        type='SkeletonRetrievalMetric',
        protocol=dict(base='market', name='folder', same_camera='keep'),
    ),
]
test_evaluator = val_evaluator
auto_scale_lr = dict(base_batch_size=batch_size)

default_hooks = dict(collapse=dict(type='CollapseHook'))
