"""CSIP's skeleton graph transformer on BIWI, from scratch.

Data: ``data/BIWI/6`` in TranSG's layout, 20 joints, six frames; nothing of it was at hand here, so
there is no result. Probe Walking, gallery Still; the reverse by
``--cfg-options test_dataloader.dataset.files.query=… test_dataloader.dataset.files.gallery=…``.
"""

_base_ = './csip_sgt_ucalgary.py'

data_root = 'data/BIWI/6'
num_instances = 4  # clips per identity in a batch
batch_size = 48 * num_instances  # clips

model = dict(skeleton_encoder=dict(layout='kinect20'))

dataset = dict(
    data_root=data_root,
    layout='kinect20',
    files=dict(
        train='train_npy_data', query='test_npy_data/Walking', gallery='test_npy_data/Still'
    ),
    window=None,
    stride=None,
    y_up=True,
)
train_dataloader = dict(
    batch_size=batch_size,
    sampler=dict(batch_size=batch_size, num_instances=num_instances),
    dataset=dataset,
)
val_dataloader = dict(dataset=dataset)
test_dataloader = val_dataloader
val_evaluator = dict(protocol=dict(base='biwi', name='biwi'))
test_evaluator = val_evaluator
auto_scale_lr = dict(base_batch_size=batch_size)
