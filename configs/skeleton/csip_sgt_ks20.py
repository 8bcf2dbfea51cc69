"""CSIP's skeleton graph transformer on KS20, from scratch.

Data: ``data/KS20/6`` in TranSG's layout, 25 joints, six frames; nothing of it was at hand here, so
there is no result.
"""

_base_ = './csip_sgt_ucalgary.py'

data_root = 'data/KS20/6'
num_instances = 12  # clips per identity in a batch
batch_size = 16 * num_instances  # clips

model = dict(skeleton_encoder=dict(layout='kinect25'))

dataset = dict(
    data_root=data_root,
    layout='kinect25',
    files=dict(
        train='train_npy_data', query='test_npy_data/probe', gallery='test_npy_data/gallery'
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
val_evaluator = dict(protocol=dict(base='ks20', name='ks20'))
test_evaluator = val_evaluator
auto_scale_lr = dict(base_batch_size=batch_size)
